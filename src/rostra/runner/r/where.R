# What R leaves out of its error messages: the line in the author's own file, and Python's traceback. This file's value
# is a function that makes the one to call with an error; `root` is the folder of the bundle. It never fails itself.
function(root) {
  root <- paste0(normalizePath(root, mustWork = FALSE), "/")
  last_told <- ""

  r_line <- function(calls) {
    for (call in rev(calls)) {
      at <- attr(call, "srcref")
      if (is.null(at)) next
      source <- attr(at, "srcfile")
      name <- source$filename
      path <- if (startsWith(name, "/")) name else file.path(source$wd, name)
      path <- normalizePath(path, mustWork = FALSE)
      if (startsWith(path, root)) return(sprintf('  File "%s", line %d', substring(path, nchar(root) + 1), at[1]))
    }
    NULL
  }

  # The line of the document at which the statement stands that is being run; knitr hands statements over one by one.
  document_line <- function(frames) {
    chunk <- statement <- NULL
    for (frame in frames) {
      if (is.null(chunk) && is.character(frame$options$code)) chunk <- frame$options$code
      if (!is.null(chunk) && is.character(frame$compile_mode) && is.character(frame$code)) statement <- frame$code
    }
    name <- knitr::current_input(dir = TRUE)
    lines <- trimws(readLines(name, warn = FALSE))
    find <- function(wanted, from, to) {
      wanted <- trimws(wanted)
      for (at in seq(from, max(from, to - length(wanted) + 1))) {
        if (identical(lines[seq(at, length.out = length(wanted))], wanted)) return(at)
      }
      NA
    }
    begins <- find(chunk, 1, length(lines))
    first <- find(strsplit(sub("\\s*$", "", statement), "\n")[[1]], begins, begins + length(chunk) - 1)
    list(name = normalizePath(name), line = first)
  }

  traceback_of <- function(message, frames) {
    if (!isNamespaceLoaded("reticulate") || !reticulate::py_available()) return(NULL)
    last <- reticulate::py_last_error()
    # One that was dealt with before is not what this is about.
    if (is.null(last) || !grepl(paste0(last$type, ": ", trimws(last$value)), message, fixed = TRUE)) return(NULL)
    if (identical(last$message, last_told)) return(NULL)
    last_told <<- last$message
    text <- strsplit(paste(last$message, collapse = ""), "\n")[[1]]
    marked <- grepl('^  File "', text)
    within <- cumsum(marked)
    loader <- which(grepl("/rpytools/", text[marked], fixed = TRUE))
    text <- text[!(within %in% loader & grepl("^  ", text))]
    if (!any(grepl('^  File "', text))) return(NULL)
    place <- tryCatch(document_line(frames), error = function(e) NULL)
    mark <- 'File "<string>", line ([0-9]+), in <module>'
    if (!is.null(place) && !is.na(place$line) && length(at <- grep(mark, text))) {
      number <- as.integer(sub(paste0("^.*", mark, ".*$"), "\\1", text[at[1]]))
      text[at[1]] <- sprintf('  File "%s", line %d, in <module>', place$name, place$line + number - 1L)
    }
    gsub(paste0('File "', root), 'File "', text, fixed = TRUE)
  }

  function(condition, file = "") {
    calls <- sys.calls()
    frames <- sys.frames()
    tryCatch({
      message <- conditionMessage(condition)
      line <- r_line(calls)
      number <- regmatches(message, regexpr("(?<=^Error on line #)[0-9]+", message, perl = TRUE))
      # Plumber names the line before the statement.
      if (nzchar(file) && length(number)) line <- sprintf('  File "%s", line %d', file, as.integer(number) + 1L)
      text <- c(line, traceback_of(message, frames))
      if (length(text)) cat(text, file = stderr(), sep = "\n")
    }, error = function(e) NULL)
    invisible()
  }
}
