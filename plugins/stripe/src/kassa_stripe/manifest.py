"""What this provider can do."""

from datetime import timedelta

from kassa_sdk import Idempotency, LookUp, Manifest, Portions, WireAmounts

THREE_DECIMALS = ("BHD", "JOD", "KWD", "OMR", "TND")

AMOUNTS = WireAmounts(
    form="minor",
    # ISK and UGX have no decimals in ISO 4217; Stripe wants two that are always 00.  MGA has two in ISO 4217; Stripe
    # takes whole ariary.  Source: https://docs.stripe.com/currencies, "Zero-decimal currencies" and "Special cases".
    # (HUF and TWD are special there for payouts only.)
    exponents={"ISK": 2, "UGX": 2, "MGA": 0},
    # The same page, "Three-decimal currencies": the last digit must be 0.
    steps=dict.fromkeys(THREE_DECIMALS, 10),
)

# The presentment currencies of https://docs.stripe.com/currencies, less those that have left ISO 4217, plus the
# three-decimal ones that the page describes.  Anything else is refused, because its decimals at Stripe are not documented.
CURRENCIES = frozenset(
    """
    USD AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY
    COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD
    JPY KES KGS KHR KMF KRW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO
    NOK NPR NZD PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TOP TRY
    TTD TWD TZS UAH UGX UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW
    """.split()
) | frozenset(THREE_DECIMALS)

MANIFEST = Manifest(
    name="stripe",
    display_name="Stripe",
    contract_version=1,
    links={
        "documentation": "https://docs.stripe.com/payments/payment-intents",
        "dashboard": "https://dashboard.stripe.com",
        "api_keys": "https://dashboard.stripe.com/apikeys",
        "webhooks": "https://dashboard.stripe.com/webhooks",
    },
    currencies=CURRENCIES,
    amounts=AMOUNTS,
    # With capture "automatic" an account may offer methods that confirm days later, such as debits and vouchers.
    settles_later=True,
    actions=frozenset({"challenge", "redirect"}),
    # Once: Stripe releases what a capture leaves.  Capturing several times needs a feature that few accounts have.
    captures=Portions.PARTIAL,
    refunds=Portions.MULTIPLE,
    cancel=True,
    # https://docs.stripe.com/api/idempotent_requests: keys may be removed once they are at least 24 hours old.
    idempotency=Idempotency(keys="native", window=timedelta(hours=24), scope="account"),
    # By our reference only the newest intents are listed consistently; older ones are searched, and Stripe says not to
    # rely on its search after a write.  So an absence never proves anything.
    look_up=LookUp(by=frozenset({"provider_reference", "our_reference"}), proves_absence_after=None),
    lists_payments=True,
    notices="signed",
    account_holders=True,
)
