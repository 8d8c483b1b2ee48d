# Time mgcv's bam(discrete = TRUE) on a logistic table written by scaling.py; the fit alone is timed, not the reading.
#
# Usage: Rscript bam_discrete.R TABLE N P NTHREADS BASIS
#   TABLE     file of float64, little-endian: the N x P features column by column, then the N responses (0 or 1)
#   NTHREADS  threads of bam
#   BASIS     bs or cr, mgcv's name of the basis (both with k = 14, the size of ours)
# Prints one line of JSON.

suppressPackageStartupMessages({
  library(mgcv)
  library(jsonlite)
})

arguments <- commandArgs(trailingOnly = TRUE)
path <- arguments[1]
n <- as.integer(arguments[2])
p <- as.integer(arguments[3])
n_threads <- as.integer(arguments[4])
basis <- arguments[5]

values <- readBin(path, what = "double", n = n * (p + 1), size = 8, endian = "little")
table <- as.data.frame(matrix(values, nrow = n))
names(table) <- c(paste0("x", seq_len(p) - 1), "y")
rm(values)

terms <- sprintf("s(x%d, bs = \"%s\", k = 14)", seq_len(p) - 1, basis)
model <- as.formula(paste("y ~", paste(terms, collapse = " + ")))
seconds <- system.time(
  fit <- bam(model, family = binomial(), data = table, method = "fREML", discrete = TRUE, nthreads = n_threads)
)[["elapsed"]]

cat(toJSON(list(
  seconds = seconds, edf = sum(fit$edf), deviance = deviance(fit), n_threads = n_threads, basis = basis,
  mgcv = as.character(packageVersion("mgcv")), r = R.version.string, blas = extSoftVersion()[["BLAS"]]
), auto_unbox = TRUE, digits = NA), "\n")
