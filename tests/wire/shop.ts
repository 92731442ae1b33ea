// The shop that is asked: where it listens and its keys come from the environment, as one JSON line of `kassa serve`.

import assert from "node:assert/strict"
import Medusa from "@medusajs/js-sdk"
import type { HttpTypes } from "@medusajs/types"

interface Shop {
  url: string
  publishable_key: string
  secret_key: string
  regions: string[]
  catalogue: { variant_id: string; title: string }[]
}

export const shop: Shop = JSON.parse(process.env.KASSA_SHOP ?? assert.fail("KASSA_SHOP is not set"))
export const storefrontWith = (publishableKey: string) => new Medusa({ baseUrl: shop.url, publishableKey })
export const storefront = storefrontWith(shop.publishable_key)
export const backend = new Medusa({ baseUrl: shop.url, apiKey: shop.secret_key })

export const CARD = "pp_simulator_card"

/** What the shopper must do next, as it stands in a session's data. */
export interface Challenge {
  type: string
  script: string
  parameters: { url: string; payment_id: string }
}

/** A cart of the region, with two tea sets in it. */
export async function cartIn(region_id: string): Promise<HttpTypes.StoreCart> {
  const { cart } = await storefront.store.cart.create({
    region_id,
    email: "ada@example.org",
    items: [{ variant_id: "tea-set", quantity: 2 }],
    shipping_address: { first_name: "Ada", city: "Berlin", country_code: "de" },
  })
  return cart
}

/** The session that a cart is to be paid with; `scenario` tells the simulated provider what is to happen. */
export async function sessionFor(
  cart: HttpTypes.StoreCart,
  scenario = "approve",
): Promise<HttpTypes.StorePaymentSession> {
  const { payment_collection } = await storefront.store.payment.initiatePaymentSession(cart, {
    provider_id: CARD,
    data: { scenario },
  })
  return theOne(payment_collection.payment_sessions)
}

/** A placed order and the payment of it, as the backend sees it. */
export async function paidOrder(): Promise<{ order: HttpTypes.StoreOrder; payment: HttpTypes.AdminPayment }> {
  const cart = await cartIn("eu")
  const session = await sessionFor(cart)
  const completed = await storefront.store.cart.complete(cart.id)
  assert.equal(completed.type, "order")
  const { payments } = await backend.admin.payment.list({ payment_session_id: session.id })
  return { order: completed.order, payment: theOne(payments) }
}

/** The one thing in a list. */
export function theOne<Thing>(things: Thing[] | undefined): Thing {
  assert.equal(things?.length, 1)
  return things![0]!
}

/** The shopper's browser: submit the challenge page of the simulated provider. */
export async function answer(challenge: Challenge, what: "approve" | "decline"): Promise<void> {
  const response = await fetch(challenge.parameters.url, {
    method: "POST",
    body: new URLSearchParams({ answer: what }),
    redirect: "manual",
  })
  assert.ok(response.status < 400, `the challenge page answered ${response.status}`)
}

/** The status and the message with which something is refused. */
export async function refusal(asked: Promise<unknown>): Promise<{ status: number; message: string }> {
  try {
    await asked
  } catch (error) {
    const { status, message } = error as { status: number; message: string }
    return { status, message }
  }
  assert.fail("it was not refused")
}
