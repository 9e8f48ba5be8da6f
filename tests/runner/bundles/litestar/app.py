from litestar import Litestar, Request, get


@get("/where", name="where")
async def where(request: Request) -> str:
    return request.scope["root_path"] + request.app.route_reverse("where")


app = Litestar([where])
