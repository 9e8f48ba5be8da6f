from sanic import Sanic, text

app = Sanic("one")


@app.get("/where")
async def where(request):
    return text(request.scope["root_path"] + request.path if hasattr(request, "scope") else request.path)
