"""A passkey in a real Chromium, from an authenticator that the browser plays: added, and signing in alone."""

from playwright.sync_api import Browser, expect

from tests.browser.conftest import RunningStudio

EMAIL, PASSWORD = "passkey@example.org", "a key that opens one door"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def test_a_passkey_is_added_and_signs_in_alone(browser: Browser, studio: RunningStudio) -> None:
    # A passkey belongs to a name, and an address of digits is none.
    context = browser.new_context(base_url=studio.address.replace("127.0.0.1", "localhost"))
    context.set_default_timeout(60_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    authenticator = context.new_cdp_session(page)
    authenticator.send("WebAuthn.enable")
    authenticator.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

    page.goto("/account/signup/")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Create the account").click()
    expect(page.locator("details.account")).to_be_visible(timeout=60_000)

    page.goto("/account/security/webauthn/add/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#recovery-codes")).to_be_visible(timeout=60_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert len(download.value.path().read_text().split()) == 10

    context.clear_cookies()
    page.goto("/account/login/?next=/datasets/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", level=1, name="Datasets")).to_be_visible(timeout=60_000)
    assert complaints == []
    context.close()
