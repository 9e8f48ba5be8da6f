from quart import Quart, url_for

app = Quart(__name__)


@app.get("/where")
async def where():
    return url_for("where")
