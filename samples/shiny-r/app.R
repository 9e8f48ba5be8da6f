library(shiny)
library(reticulate)

stats <- import("statistics")
platform <- import("platform")

ui <- fluidPage(
  titlePanel("Dice"),
  p(textOutput("whom", inline = TRUE)),
  sliderInput("rolls", "Rolls", min = 10, max = 500, value = 60),
  plotOutput("plot", height = "280px"),
  p("Mean, worked out by Python:", strong(textOutput("mean", inline = TRUE))),
  p(sprintf("Shiny on R %s with Python %s", getRversion(), platform$python_version()))
)

server <- function(input, output, session) {
  rolls <- reactive({
    set.seed(input$rolls)
    sample(6, input$rolls, replace = TRUE)
  })
  output$whom <- renderText(if (is.null(session$user)) "Nobody is signed in." else paste("Signed in:", session$user))
  output$plot <- renderPlot(barplot(table(factor(rolls(), 1:6)), col = "#31688e", xlab = "pips"))
  output$mean <- renderText(format(stats$fmean(as.list(as.numeric(rolls()))), digits = 4))
}

shinyApp(ui, server)
