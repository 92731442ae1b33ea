// A backend that uses Medusa's own SDK takes money and gives it back.

import assert from "node:assert/strict"
import { test } from "node:test"

import { backend, CARD, paidOrder, refusal, storefront, theOne } from "./shop.js"

test("a payment is found by its session, its id, its time and what it begins with", async () => {
  const { payment } = await paidOrder()
  const since = new Date(Date.now() - 60_000).toISOString()
  for (const query of [{ id: [payment.id, "pay_nobody"] }, { q: payment.id.slice(0, -1) }]) {
    const { payments, count } = await backend.admin.payment.list({ ...query, created_at: { $gte: since } })
    assert.deepEqual([theOne(payments).id, count], [payment.id, 1])
  }
  const { count } = await backend.admin.payment.list({ created_at: { $lt: since } })
  assert.equal(count, 0)
})

test("a payment is told with what was asked for beside the usual", async () => {
  const { payment } = await paidOrder()
  const { payment: whole } = await backend.admin.payment.retrieve(payment.id, {
    fields: "+provider_id,*payment_collection",
  })
  assert.deepEqual([whole.provider_id, whole.payment_collection?.status], [CARD, "authorized"])
})

test("money is taken in parts, and given back with its reason", async () => {
  const { payment } = await paidOrder()
  const part = await backend.admin.payment.capture(payment.id, { amount: 20.5 })
  assert.equal(theOne(part.payment.captures).amount, 20.5)
  const whole = await backend.admin.payment.capture(payment.id, {})
  assert.deepEqual(whole.payment.captures?.map((capture) => capture.amount), [20.5, 29.48])
  const { refund_reason } = await backend.admin.refundReason.create({ code: `chipped ${payment.id}`, label: "Chipped" })
  const back = await backend.admin.payment.refund(payment.id, {
    amount: 5,
    refund_reason_id: refund_reason.id,
    note: "the blue cup",
  })
  const refund = theOne(back.payment.refunds)
  assert.deepEqual([refund.amount, refund.note, refund.refund_reason?.label], [5, "the blue cup", "Chipped"])
})

test("more than there is is neither taken nor given back, and nothing is rounded", async () => {
  const { payment } = await paidOrder()
  const much = await refusal(backend.admin.payment.capture(payment.id, { amount: 50 }))
  assert.equal(much.status, 400)
  assert.match(much.message, /has 49.98 EUR left to capture, so 50.00 EUR is too much/)
  await backend.admin.payment.capture(payment.id, {})
  const tiny = await refusal(backend.admin.payment.refund(payment.id, { amount: 0.001 }))
  assert.deepEqual([tiny.status, tiny.message.includes("never rounded")], [400, true])
})

test("the providers are listed, whichever regions enable them", async () => {
  const { payment_providers } = await backend.admin.payment.listPaymentProviders()
  assert.deepEqual(payment_providers.map((provider) => provider.id).sort(), [CARD, "pp_system_default"])
})

test("reasons for refunds are created, listed, changed and deleted", async () => {
  const code = `late ${Date.now()}`
  const { refund_reason } = await backend.admin.refundReason.create({ code, label: "Late" })
  const changed = await backend.admin.refundReason.update(refund_reason.id, { label: "Too late" })
  assert.deepEqual([changed.refund_reason.label, changed.refund_reason.code], ["Too late", code])
  assert.match((await refusal(backend.admin.refundReason.create({ code, label: "Again" }))).message, /^code: /)
  const { refund_reasons } = await backend.admin.refundReason.list()
  assert.ok(refund_reasons.some((reason) => reason.id === refund_reason.id))
  assert.ok((await backend.admin.refundReason.delete(refund_reason.id)).deleted)
  assert.equal((await refusal(backend.admin.refundReason.retrieve(refund_reason.id))).status, 404)
})

test("what is owed for an order beyond its price is marked as paid, once", async () => {
  const { order } = await paidOrder()
  const { payment_collection } = await backend.admin.paymentCollection.create({ order_id: order.id, amount: 12.5 })
  const asked = [1, 2, 3, 4, 5].map(() =>
    backend.admin.paymentCollection.markAsPaid(payment_collection.id, { order_id: order.id }),
  )
  const answers = await Promise.allSettled(asked)
  assert.ok(answers.some((answer) => answer.status === "fulfilled"))
  await backend.admin.paymentCollection.markAsPaid(payment_collection.id, { order_id: order.id })
  const { payments } = await backend.admin.payment.list({ q: payment_collection.id, fields: "+captured_amount" })
  assert.equal(theOne(payments).captured_amount, 12.5)
})

test("what is owed for an order is paid with a session, or given up", async () => {
  const { order } = await paidOrder()
  const { payment_collection: shipping } = await backend.admin.paymentCollection.create({ order_id: order.id, amount: 3 })
  const { payment_collection } = await backend.admin.paymentCollection.createPaymentSession(shipping.id, {
    provider_id: CARD,
  })
  assert.equal(theOne(payment_collection.payment_sessions).amount, 3)
  const { payment_collection: duty } = await backend.admin.paymentCollection.create({ order_id: order.id, amount: 4 })
  assert.ok((await backend.admin.paymentCollection.delete(duty.id)).deleted)
})

test("a storefront's key opens nothing of the backend", async () => {
  assert.equal((await refusal(storefront.admin.payment.list())).status, 401)
})
