"""The page on which a shopper approves or declines.  It works without JavaScript."""

from decimal import Decimal
from html import escape

from kassa_simulator.server.calls import Reply
from kassa_simulator.server.payments import Payment

# Presentation only, for a page that people look at; every amount elsewhere is a whole number of minor units.
_NO_DECIMALS = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split())
_THREE_DECIMALS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · kassa simulator</title>
<style>
  body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f3f4f6; color: #1f2937;
         font: 16px/1.5 system-ui, sans-serif; }}
  main {{ background: #fff; padding: 2rem; border-radius: .75rem; width: min(24rem, 85vw); text-align: center;
         box-shadow: 0 1px 3px rgb(0 0 0 / .15); }}
  h1 {{ font-size: 1.25rem; margin: 0; }}
  .amount {{ font-size: 2rem; font-weight: 650; margin: .5rem 0; }}
  form {{ display: flex; gap: .75rem; margin-top: 1.5rem; }}
  button {{ flex: 1; padding: .75rem; border: 1px solid #9ca3af; border-radius: .5rem; background: #fff; font: inherit;
           cursor: pointer; }}
  button[value=approve] {{ background: #166534; border-color: #166534; color: #fff; }}
  small {{ color: #6b7280; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{content}
<p><small>A simulated bank. No real money moves.</small></p>
</main>
</body>
</html>
"""

_QUESTION = """<p class="amount">{amount}</p>
<p><small>Reference {reference}</small></p>
<form method="post">
<button name="answer" value="approve">Approve</button>
<button name="answer" value="decline">Decline</button>
</form>"""


def question(payment: Payment) -> Reply:
    """The page that asks."""
    content = _QUESTION.format(amount=escape(_amount_text(payment)), reference=escape(payment.our_reference))
    return _page(200, "Approve the payment", content)


def answered(payment: Payment) -> Reply:
    """The way back to the shop; a closing page where nobody told the way."""
    if payment.return_url is not None:
        return Reply(303, b"", content_type="text/plain; charset=utf-8", headers=(("location", payment.return_url),))
    return closing(payment)


def closing(payment: Payment) -> Reply:
    """The page that says how it stands, when there is nothing to decide."""
    status = {"authorized": "approved"}.get(payment.status, payment.status)
    return _page(200, f"Payment {status}", f"<p>This payment is <b>{escape(status)}</b>. You can close this page.</p>")


def unknown() -> Reply:
    """The page for an address that leads nowhere."""
    return _page(404, "Not found", "<p>There is no such payment.</p>")


def _page(status: int, title: str, content: str) -> Reply:
    html = _PAGE.format(title=escape(title), content=content)
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"
    return Reply(
        status,
        html.encode(),
        content_type="text/html; charset=utf-8",
        headers=(
            ("content-security-policy", policy),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ),
    )


def _amount_text(payment: Payment) -> str:
    decimals = 0 if payment.currency in _NO_DECIMALS else 3 if payment.currency in _THREE_DECIMALS else 2
    return f"{Decimal(payment.amount).scaleb(-decimals):,f} {payment.currency}"
