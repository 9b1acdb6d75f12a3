"""Addresses of credits and money."""

from django.urls import path

from billing.views import account, buying, sandbox, webhooks

app_name = "billing"

urlpatterns = [
    path("", account.show_account, name="account_detail"),
    path("receipts/", account.list_receipts, name="receipt_list"),
    path("movements/", account.list_movements, name="movement_list"),
    path("invoices/", buying.list_invoices, name="invoice_list"),
    path("pricing/", buying.show_pricing, name="pricing"),
    path("buy/", buying.create_checkout, name="checkout_create"),
    path("bought/", buying.show_checkout, name="checkout_detail"),
    path("manage/", buying.open_portal, name="portal_open"),
    path("stripe/webhook/", webhooks.receive_webhook, name="webhook"),
    path("sandbox/checkout/", sandbox.show_checkout, name="sandbox_checkout"),
    path("sandbox/invoice/", sandbox.show_invoice, name="sandbox_invoice"),
    path("sandbox/portal/", sandbox.show_portal, name="sandbox_portal"),
]
