# Serves Shiny, interactive R Markdown or Plumber on a unix socket. The socket appears under its name only when it is
# being listened on. Requests arrive without the base path; what the frameworks link to is relative, or told the address.
local({
  given <- commandArgs(trailingOnly = TRUE)
  option <- function(name) {
    mark <- paste0("--", name, "=")
    found <- given[startsWith(given, mark)]
    if (length(found)) substring(found[1], nchar(mark) + 1) else ""
  }
  kind <- option("kind")
  entry <- option("entrypoint")
  path <- option("socket")
  waiting <- file.path(dirname(path), ".s")
  mask <- strtoi("111", 8)
  announce <- function() {
    Sys.chmod(waiting, "0666", use_umask = FALSE)
    file.rename(waiting, path)
    cat("rostra: ready\n")
  }
  own_folder <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1]))
  tell_where <- source(file.path(own_folder, "where.R"))$value(".")
  # Runs when the framework first serves events: by then it listens.
  soon <- function() later::later(announce, 0)
  socket <- structure(waiting, mask = mask)

  serve_shiny <- function() {
    soon()
    named <- nzchar(entry) && !tolower(basename(entry)) %in% c("app.r", "server.r", "ui.r", "global.r")
    folder <- if (nzchar(entry)) dirname(entry) else "."
    shiny::runApp(if (named) entry else folder, port = socket, launch.browser = FALSE)
  }

  serve_document <- function() {
    # The document is knitted where it lies, and the bundle is read-only.
    work <- file.path(tempdir(), "work")
    dir.create(work)
    file.copy(list.files(".", all.files = TRUE, no.. = TRUE), work, recursive = TRUE, copy.mode = FALSE)
    setwd(work)
    tell_where <<- source(file.path(own_folder, "where.R"))$value(".")
    file <- if (nzchar(entry)) entry else list.files(".", pattern = "[.][Rr]md$")[1]
    soon()
    rmarkdown::run(file, auto_reload = FALSE, shiny_args = list(port = socket, launch.browser = FALSE))
  }

  # Plumber catches what a handler raises and writes only its message.
  telling <- function(app) {
    answer <- function(request) {
      before <- last_python_error()
      answered <- app$call(request)
      failed <- is.list(answered) && isTRUE(answered$status >= 500)
      if (failed && !identical(last_python_error(), before)) tell_where(simpleError(last_python_error()))
      answered
    }
    list(call = answer, onHeaders = app$onHeaders, onWSOpen = app$onWSOpen)
  }
  last_python_error <- function() {
    last <- if (isNamespaceLoaded("reticulate") && reticulate::py_available()) reticulate::py_last_error()
    if (is.null(last)) "" else paste0(last$type, ": ", last$value)
  }

  serve_plumber <- function() {
    router <- if (nzchar(entry)) plumber::plumb(entry) else plumber::plumb(dir = ".")
    options(plumber.apiURL = sub("/$", "", option("public-url")))
    # Plumber's run() knows only ports; all else it does is wanted (its documentation pages, its hooks).
    on_pipe <- function(host, port, app, ...) {
      server <- httpuv::startPipeServer(waiting, mask, telling(app))
      on.exit(server$stop())
      announce()
      repeat httpuv::service()
    }
    utils::assignInNamespace("runServer", on_pipe, ns = "httpuv")
    router$run(host = "127.0.0.1", port = 8000L)
  }

  # Shiny calls this, without the error, from where that is at hand; the author's own function takes its place.
  options(shiny.error = function() {
    caller <- parent.frame()
    if (inherits(caller$e, "error")) tell_where(caller$e)
  })
  plumber_file <- if (kind == "plumber") if (nzchar(entry)) entry else "plumber.R" else ""
  withCallingHandlers(
    switch(kind, shiny = serve_shiny(), document = serve_document(), plumber = serve_plumber(), stop("unknown kind ", kind)),
    error = function(e) tell_where(e, plumber_file)
  )
})
