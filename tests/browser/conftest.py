"""A browser without a network, and the models whose reports it opens.

The tests drive the Chromium that Debian ships (``apt-get install chromium``); nothing is downloaded. They are skipped,
visibly, where it or playwright is absent.
"""

import shutil
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs the chromium of the system (Debian: apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra: test)")
    with playwright.sync_playwright() as running:
        # As root, which containers often are, Chromium refuses to start in its sandbox.
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Opened:
    """A report in the browser: the page, and everything that went wrong or was asked of the network."""

    def __init__(self, context, path):
        self.problems, self.requests, self._asks = [], [], {}
        context.route("**/*", self._only_from_disk)
        context.set_offline(True)
        self.page = context.new_page()
        self.page.on("console", lambda message: self.problems.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.problems.append("dialog"), dialog.dismiss()))
        self.page.goto(Path(path).as_uri())

    def _only_from_disk(self, route):
        if route.request.url.startswith("file:"):
            route.continue_()
        else:
            self.requests.append(route.request.url)
            route.abort()

    def field(self, name, attribute="data-feature"):
        """The input of a feature, whatever its name."""
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return self.page.locator(f'[{attribute}="{quoted}"]')

    def enter(self, name, value):
        """Type a value into its field, choose it in its menu, or tick "missing"."""
        field, absent = self.field(name), self.field(name, "data-missing")
        if name not in self._asks:
            self._asks[name] = field.evaluate("e => e.tagName"), absent.count()
        tag, may_be_missing = self._asks[name]
        if tag == "SELECT":
            field.select_option(label="missing" if value is None else value)
            return
        if may_be_missing:
            absent.set_checked(value is None)
        if value is not None:
            field.fill(repr(float(value)))

    def number(self, selector, name="value"):
        """A number in full precision, as the page keeps it beside the rounded text."""
        return float(self.page.locator(selector).get_attribute(f"data-{name}"))


@pytest.fixture
def open_report(browser, request, tmp_path):
    """``open_report(path, **settings)``: an `Opened` report; a picture of each is kept."""
    folder = request.config.getoption("--screenshots")
    folder = tmp_path if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    contexts = []

    def open_(path, **settings):
        contexts.append(browser.new_context(**settings))
        return Opened(contexts[-1], path)

    yield open_
    for k, context in enumerate(contexts):
        for page in context.pages:
            page.screenshot(path=folder / f"{request.node.name}-{k}.png", full_page=True)
        context.close()
