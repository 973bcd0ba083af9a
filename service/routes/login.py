"""Logging in to the page with a key: a form, and a cookie that no script reads and no other site sends."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from service.errors import NoKey
from service.gate import COOKIE, address_of, session_token
from service.routes.common import ServiceHere

router = APIRouter(include_in_schema=False)

_FORM = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in - Lumenscribe</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 12vh auto; padding: 0 1rem; }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .6rem; margin-top: .4rem; }}
</style>
<main>
<h1>Lumenscribe</h1>
<p>For research only; not for diagnosis.</p>
<form method="post" action="/login">
<label for="key">Key</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus>
<button>Log in</button>
</form>
<p role="alert">{told}</p>
</main>
</html>
"""


@router.get("/login")
async def form(service: ServiceHere) -> Response:
    """The form; where no keys are needed, the page."""
    return HTMLResponse(_FORM.format(told="")) if service.keys else RedirectResponse("/page/", 303)


@router.post("/login")
async def log_in(request: Request, service: ServiceHere, key: Annotated[str, Form(max_length=200)]) -> Response:
    """Begins a session. A wrong key is told in the form."""
    try:
        found = service.key(key.strip(), address_of(request.scope))
    except NoKey:
        return HTMLResponse(_FORM.format(told="This is not a key of this service."), 401)
    token, seconds = service.keys.begin_session(found)
    response = RedirectResponse("/page/", 303)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, token, seconds, httponly=True, samesite="strict", secure=secure)
    return response


@router.post("/logout")
async def log_out(request: Request, service: ServiceHere) -> Response:
    """Ends the session."""
    service.keys.end_session(session_token(request.headers))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE)
    return response
