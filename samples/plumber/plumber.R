library(reticulate)

platform <- import("platform")
words <- import("textwrap")

#* @apiTitle Short lines
#* @apiDescription Breaks text into lines, with Python's textwrap.

#* What answers here
#* @serializer unboxedJSON
#* @get /
function() {
  list(service = "Plumber", r = as.character(getRversion()), python = platform$python_version())
}

#* Break a text into lines
#* @param text the text
#* @param width the longest line
#* @serializer unboxedJSON
#* @get /wrap
function(text = "", width = 40) {
  list(lines = as.list(words$wrap(text, width = as.integer(width))))
}

#* Add numbers that are sent as JSON
#* @serializer unboxedJSON
#* @post /sum
function(req) {
  list(sum = sum(unlist(req$body$numbers)))
}
