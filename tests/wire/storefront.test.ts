// A storefront that uses Medusa's own SDK checks out.

import assert from "node:assert/strict"
import { test } from "node:test"

import { answer, CARD, cartIn, type Challenge, refusal, sessionFor, shop, storefront, storefrontWith, theOne } from "./shop.js"

test("the regions are listed with their currency and countries", async () => {
  const { regions, count } = await storefront.store.region.list({ limit: 2 })
  assert.deepEqual(regions.map((region) => region.currency_code), ["eur", "jpy"])
  assert.equal(count, 3)
  const { region } = await storefront.store.region.retrieve("eu", { fields: "id,*countries,*payment_providers" })
  assert.deepEqual(region.countries?.map((country) => country.iso_2), ["de", "fr", "nl"])
  assert.equal(region.name, undefined)
})

test("the providers of a region are listed in the order of the configuration", async () => {
  const { payment_providers } = await storefront.store.payment.listPaymentProviders({ region_id: "eu" })
  assert.deepEqual(payment_providers.map((provider) => provider.id), [CARD, "pp_system_default"])
})

test("a cart is filled, changed and emptied at the catalogue's prices", async () => {
  const cart = await cartIn("eu")
  assert.equal(cart.total, 49.98)
  assert.equal(theOne(cart.items).unit_price, 24.99)
  const more = await storefront.store.cart.createLineItem(cart.id, { variant_id: "tea-bowl", quantity: 1 })
  assert.equal(more.cart.total, 61.98)
  const bowl = more.cart.items?.find((item) => item.variant_id === "tea-bowl")
  const two = await storefront.store.cart.updateLineItem(cart.id, bowl!.id, { quantity: 2 })
  assert.equal(two.cart.total, 73.98)
  const { deleted, parent } = await storefront.store.cart.deleteLineItem(cart.id, bowl!.id)
  assert.ok(deleted)
  assert.equal(parent?.total, 49.98)
})

test("what is known of the shopper is changed field by field", async () => {
  const cart = await cartIn("eu")
  const { cart: changed } = await storefront.store.cart.update(cart.id, { billing_address: { city: "Bremen" } })
  assert.equal(changed.email, "ada@example.org")
  assert.equal(changed.shipping_address?.country_code, "de")
  assert.equal(changed.billing_address?.city, "Bremen")
})

test("another region prices the cart anew", async () => {
  const cart = await cartIn("eu")
  const { cart: moved } = await storefront.store.cart.update(cart.id, { region_id: "jp" })
  assert.deepEqual([moved.currency_code, moved.total], ["jpy", 9000])
})

for (const [region, total] of [["eu", 49.98], ["jp", 9000], ["kw", 16.5]] as const) {
  test(`a cart in ${region} is paid and becomes an order`, async () => {
    const cart = await cartIn(region)
    const session = await sessionFor(cart)
    assert.deepEqual([session.status, session.amount, session.provider_id], ["pending", total, CARD])
    const completed = await storefront.store.cart.complete(cart.id)
    assert.equal(completed.type, "order")
    assert.equal(completed.order.total, total)
    assert.equal(completed.order.payment_status, "authorized")
  })
}

test("completing again gives the same order", async () => {
  const cart = await cartIn("eu")
  await sessionFor(cart)
  const [first, second] = [await storefront.store.cart.complete(cart.id), await storefront.store.cart.complete(cart.id)]
  assert.ok(first.type === "order" && second.type === "order")
  assert.equal(second.order.id, first.order.id)
})

test("a challenge is shown, answered, and the cart completed", async () => {
  const cart = await cartIn("eu")
  const session = await sessionFor(cart, "challenge")
  const first = await storefront.store.cart.complete(cart.id)
  assert.equal(first.type, "cart")
  assert.equal(first.error.type, "payment_requires_more_error")
  const waiting = theOne(first.cart.payment_collection?.payment_sessions)
  assert.equal(waiting.status, "requires_more")
  await answer(waiting.data["action"] as Challenge, "approve")
  const second = await storefront.store.cart.complete(cart.id)
  assert.equal(second.type, "order")
  const { payment_session } = await storefront.client.fetch<{ payment_session: { status: string } }>(
    `/store/payment-sessions/${session.id}`,
  )
  assert.equal(payment_session.status, "authorized")
})

test("a challenge that was failed declines the cart, and another try pays it", async () => {
  const cart = await cartIn("eu")
  await sessionFor(cart, "challenge")
  const first = await storefront.store.cart.complete(cart.id)
  assert.equal(first.type, "cart")
  const waiting = theOne(first.cart.payment_collection?.payment_sessions)
  await answer(waiting.data["action"] as Challenge, "decline")
  const second = await storefront.store.cart.complete(cart.id)
  assert.equal(second.type, "cart")
  assert.equal(second.error.type, "payment_authorization_error")
  await sessionFor({ ...cart, payment_collection: second.cart.payment_collection }, "approve")
  assert.equal((await storefront.store.cart.complete(cart.id)).type, "order")
})

test("a decline is told with its reason, and the cart stays", async () => {
  const cart = await cartIn("eu")
  await sessionFor(cart, "decline")
  const completed = await storefront.store.cart.complete(cart.id)
  assert.equal(completed.type, "cart")
  assert.equal(completed.error.type, "payment_authorization_error")
  assert.match(completed.error.message, /declined/)
  assert.equal(completed.cart.completed_at, null)
})

test("a payment that nobody knows yet is neither an order nor declined, and waits visibly", async () => {
  const cart = await cartIn("eu")
  await sessionFor(cart, "pending")
  const completed = await storefront.store.cart.complete(cart.id)
  assert.equal(completed.type, "cart")
  assert.equal(completed.error.type, "payment_requires_more_error")
  const session = theOne(completed.cart.payment_collection?.payment_sessions)
  assert.equal(session.status, "pending_authorization")
})

test("choosing another provider replaces the session", async () => {
  const cart = await cartIn("eu")
  await sessionFor(cart)
  const { cart: chosen } = await storefront.store.cart.retrieve(cart.id)
  const { payment_collection } = await storefront.store.payment.initiatePaymentSession(chosen, {
    provider_id: "pp_system_default",
  })
  assert.equal(theOne(payment_collection.payment_sessions).provider_id, "pp_system_default")
})

test("fields are added, left out and chosen as Medusa's clients write it", async () => {
  const cart = await cartIn("eu")
  await sessionFor(cart)
  const added = await storefront.store.cart.retrieve(cart.id, { fields: "+payment_collection.status,-items" })
  assert.equal(added.cart.payment_collection?.status, "awaiting")
  assert.equal(added.cart.items, undefined)
  assert.equal(added.cart.total, 49.98)
  const chosen = await storefront.store.cart.retrieve(cart.id, { fields: "id,items.title" })
  assert.deepEqual(chosen.cart, { id: cart.id, items: [{ title: "Tea set" }] })
})

test("a mistake is told with the field and what was expected", async () => {
  const unknown = await refusal(storefront.store.payment.listPaymentProviders({ region_id: "xx" }))
  assert.deepEqual([unknown.status, unknown.message], [404, "region_id: 'xx' is not configured; there are eu, jp, kw"])
  const cart = await cartIn("eu")
  const sold = await refusal(storefront.store.cart.createLineItem(cart.id, { variant_id: "samovar", quantity: 1 }))
  assert.equal(sold.status, 400)
  assert.match(sold.message, /^variant_id: 'samovar' is not for sale/)
  const gone = await refusal(storefront.store.cart.retrieve("cart_01a21b260ad6735cbd47620fcd0de79e"))
  assert.equal(gone.status, 404)
})

test("without a publishable key nobody is told anything", async () => {
  for (const key of ["pk_of_nobody", shop.secret_key]) {
    assert.equal((await refusal(storefrontWith(key).store.region.list())).status, 401)
  }
})
