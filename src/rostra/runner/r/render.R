# Renders one R Markdown document, or the site in this folder, and writes what came of it beside.
local({
  job <- jsonlite::read_json(commandArgs(trailingOnly = TRUE)[1], simplifyVector = TRUE)
  parameters <- if (length(job$params)) as.list(job$params) else NULL
  # JSON has no dates: what the document declares as one is given as one.
  for (declared in if (is.null(parameters)) NULL else tryCatch(
    knitr::knit_params(readLines(job$input, warn = FALSE, encoding = "UTF-8")), error = function(why) NULL)) {
    given <- parameters[[declared$name]]
    if (!is.character(given)) next
    if (inherits(declared$value, "Date") || identical(declared$input, "date")) {
      parameters[[declared$name]] <- as.Date(given)
    } else if (inherits(declared$value, "POSIXt") || identical(declared$input, "datetime")) {
      parameters[[declared$name]] <- as.POSIXct(given)
    }
  }
  own_folder <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1]))
  tell_where <- source(file.path(own_folder, "where.R"))$value(file.path(dirname(job$out), "work"))
  withCallingHandlers(error = tell_where, if (isTRUE(job$site)) {
    generator <- rmarkdown::site_generator(".")
    if (is.null(generator)) stop("this folder is no R Markdown site: it has no _site.yml")
    rmarkdown::render_site(".", envir = new.env(parent = globalenv()), quiet = FALSE)
    made <- file.path(".", generator$output_dir)
    inside <- list.files(made, all.files = FALSE, recursive = TRUE)
    for (folder in unique(dirname(inside))) dir.create(file.path(job$out, folder), recursive = TRUE, showWarnings = FALSE)
    file.copy(file.path(made, inside), file.path(job$out, inside), copy.mode = FALSE)
    primary <- "index.html"
    metadata <- list()
  } else {
    made <- rmarkdown::render(
      job$input, output_dir = job$out, params = parameters, envir = new.env(parent = globalenv()), quiet = FALSE)
    primary <- basename(made)
    metadata <- as.list(attr(made, "rmd_output_metadata"))  # what it declares: files to keep, how its mail looks
  })
  told <- list(primary = primary, metadata = metadata)
  jsonlite::write_json(told, job$told, auto_unbox = TRUE, null = "null", force = TRUE)
})
