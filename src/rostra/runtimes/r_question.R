# What an R is asked about itself: one line for each fact, read by r_interview.py. Base R only; changes nothing.
say <- function(...) cat("rostra-r", ..., sep = "\t", fill = FALSE)
line <- function(...) { say(...); cat("\n") }
line("version", paste(R.version$major, R.version$minor, sep = "."))
line("home", R.home())
line("platform", R.version$platform)
line("pandoc", unname(Sys.which("pandoc")))
for (folder in .libPaths()) {
  line("library", folder)
  for (name in list.files(folder)) {
    # The packages' own summaries: installed.packages() reads the same, and loads far more to do it.
    version <- tryCatch(
      readRDS(file.path(folder, name, "Meta", "package.rds"))$DESCRIPTION[["Version"]],
      error = function(e) NULL, warning = function(w) NULL)
    if (!is.null(version)) line("package", name, version)
  }
}
line("end")
