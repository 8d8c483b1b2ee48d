# Curves and standard errors of mgcv's gam on tables written by _bands_width.py.
#
# Usage: Rscript bands_mgcv.R FOLDER FAMILY
#   FOLDER   holds tables.csv (columns "draw" and "y" and the features) and grids.csv (the same without "y")
#   FAMILY   gaussian, binomial or poisson
# Writes FOLDER/curves.csv: draw, term, fit, se (smoothing parameters given), se_unconditional (theirs counted), row by row of
# grids.csv within each draw and term. The basis is cubic B-splines with k = 14, the size of ours, at mgcv's own knots.

suppressPackageStartupMessages(library(mgcv))

arguments <- commandArgs(trailingOnly = TRUE)
tables <- read.csv(file.path(arguments[1], "tables.csv"))
grids <- read.csv(file.path(arguments[1], "grids.csv"))
family <- get(arguments[2])()
features <- setdiff(names(tables), c("draw", "y"))
model <- as.formula(paste("y ~", paste(sprintf("s(%s, bs = \"bs\", k = 14)", features), collapse = " + ")))

curves <- lapply(unique(tables$draw), function(draw) {
  fit <- gam(model, data = tables[tables$draw == draw, ], family = family, method = "REML")
  grid <- grids[grids$draw == draw, ]
  given <- predict(fit, grid, type = "terms", se.fit = TRUE)
  counted <- predict(fit, grid, type = "terms", se.fit = TRUE, unconditional = TRUE)
  do.call(rbind, lapply(seq_along(features), function(j) {
    data.frame(
      draw = draw, term = features[j], fit = given$fit[, j], se = given$se.fit[, j], se_unconditional = counted$se.fit[, j]
    )
  }))
})
write.csv(do.call(rbind, curves), file.path(arguments[1], "curves.csv"), row.names = FALSE)
