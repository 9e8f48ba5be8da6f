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
    file <- if (nzchar(entry)) entry else list.files(".", pattern = "[.][Rr]md$")[1]
    soon()
    rmarkdown::run(file, auto_reload = FALSE, shiny_args = list(port = socket, launch.browser = FALSE))
  }

  serve_plumber <- function() {
    router <- if (nzchar(entry)) plumber::plumb(entry) else plumber::plumb(dir = ".")
    options(plumber.apiURL = sub("/$", "", option("public-url")))
    # Plumber's run() knows only ports; all else it does is wanted (its documentation pages, its hooks).
    on_pipe <- function(host, port, app, ...) {
      server <- httpuv::startPipeServer(waiting, mask, app)
      on.exit(server$stop())
      announce()
      repeat httpuv::service()
    }
    utils::assignInNamespace("runServer", on_pipe, ns = "httpuv")
    router$run(host = "127.0.0.1", port = 8000L)
  }

  switch(kind, shiny = serve_shiny(), document = serve_document(), plumber = serve_plumber(), stop("unknown kind ", kind))
})
