def page(records, names):
    return ""
