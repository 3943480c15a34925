"""For every rule that judges rows or keys, one bad row that breaks it, and the key under which it is reported."""

from __future__ import annotations

from dataclasses import dataclass

from validation.good_company import TEMPLATES, Row, Rows, at, on

LATE = at(10, 5)
NO_KEY = "–"


@dataclass(frozen=True)
class Case:
    """Rows that break one rule. `also` names rules that the same key breaks with it, since one implies the other."""

    rule: str
    rows: Rows
    key: str
    also: tuple[str, ...] = ()


def _row(table: str, **changes: object) -> Row:
    return dict(TEMPLATES[table][0], **changes)


def _deal(key: str | None, past: Row | None = None, **changes: object) -> Rows:
    """A deal and its history, which says the same unless `past` says otherwise."""
    deal = _row("opportunities", opportunity_id=key, **changes)
    same = {name: deal[name] for name in ("stage", "amount", "close_date", "owner_id")}
    change = _row("opportunity_history", opportunity_id=key, **{**same, **(past or {})})
    if change["stage"] not in ("Proposal", "Closed Won", "Closed Lost", "Discovery"):
        change["stage"] = "Closed Won"
    return {"opportunities": [deal], "opportunity_history": [change]}


def _deals() -> list[Case]:
    open_deal = {"stage": "Proposal", "closed_at": None, "close_date": on(12, 1)}
    changes: dict[str, dict[str, object]] = {
        "account_known": {"account_id": "nobody"},
        "account_present": {"account_id": None},
        "owner_known": {"owner_id": "nobody", "past": {"owner_id": None}},
        "owner_present": {"owner_id": None, "past": {"owner_id": "u1"}},
        "campaign_known": {"primary_campaign_id": "nothing"},
        "type_present": {"type": None},
        "type_known": {"type": "New Business"},
        "segment_known": {"segment": "Tiny"},
        "category_known": {"forecast_category": "Maybe"},
        "won_has_amount": {"amount": None},
        "amount_not_negative": {"amount": -0.01, "past": {"amount": None}},
        "closed_has_booking_day": {"close_date": None, "past": {"close_date": on(9, 20)}},
        "open_has_close_date": {**open_deal, "close_date": None},
        "closed_not_in_future": {"close_date": on(10, 1)},
        "open_not_closed": {**open_deal, "closed_at": at(9, 20)},
        "created_present": {"created_at": None},
        "created_not_in_future": {**open_deal, "created_at": at(10, 1, 4), "past": {"changed_at": LATE}},
        "closed_after_created": {"closed_at": at(2, 3)},
        "close_date_after_created": {"close_date": on(2, 2)},
        "probability_is_share": {"probability": 60.0},
        "term_plausible": {"term_months": 0},
        "currency_is_code": {"currency": "euro"},
        "currency_has_rate": {"currency": "JPY"},
        "source_present": {"source": None},
        "lost_has_reason": {"stage": "Closed Lost", "probability": 0.0},
        "stage_known": {"stage": "Won!!"},
        "stage_present": {"stage": None},
    }
    also = {
        "currency_is_code": ("opportunities.currency_has_rate",),
        "stage_known": ("opportunity_history.ends_in_current_stage",),
    }
    cases = [
        Case(f"opportunities.{name}", _deal(f"bad {name}", **change), f"bad {name}", also.get(name, ()))  # type: ignore[arg-type]
        for name, change in changes.items()
    ]
    double = _deal("bad key_unique")
    return [
        *cases,
        Case("opportunities.key_present", {"opportunities": [_row("opportunities", opportunity_id=None)]}, NO_KEY),
        Case(
            "opportunities.key_unique",
            {"opportunities": double["opportunities"] * 2, "opportunity_history": double["opportunity_history"]},
            "bad key_unique",
        ),
        Case(
            "opportunities.history_complete",
            {"opportunities": [_row("opportunities", opportunity_id="bad history")]},
            "bad history",
        ),
    ]


def _history() -> list[Case]:
    def case(name: str, also: tuple[str, ...] = (), deal: Row | None = None, **past: object) -> Case:
        key = f"bad past {name}"
        rows = _deal(key, past=past, **(deal or {}))
        change = rows["opportunity_history"][0]
        change.update(past)
        shown = f"{key} | {change['changed_at']} | 1"
        return Case(f"opportunity_history.{name}", rows, shown, also)

    def by_deal(name: str, **past: object) -> Case:
        key = f"bad past {name}"
        return Case(f"opportunity_history.{name}", _deal(key, past=past), key)

    moment = TEMPLATES["opportunity_history"][0]["changed_at"]
    twice = _deal("bad past key")
    lost = [_row("opportunity_history", opportunity_id="bad past deal")]
    return [
        case("stage_present", stage=None),
        case("stage_known", stage="Won!!"),
        case("category_known", forecast_category="Maybe"),
        case("owner_known", owner_id="nobody"),
        case("amount_not_negative", amount=-1.0),
        case("probability_is_share", probability=60.0),
        case("not_in_future", changed_at=LATE),
        by_deal("ends_in_current_stage", stage="Proposal"),
        by_deal("ends_in_current_figures", amount=99.0),
        by_deal("starts_after_creation", changed_at=at(1, 1)),
        Case("opportunity_history.deal_known", {"opportunity_history": lost}, f"bad past deal | {moment} | 1"),
        Case(
            "opportunity_history.key_unique",
            {**twice, "opportunity_history": twice["opportunity_history"] * 2},
            f"bad past key | {moment} | 1",
        ),
        Case(
            "opportunity_history.deal_present",
            {"opportunity_history": [_row("opportunity_history", opportunity_id=None)]},
            f"– | {moment} | 1",
        ),
        Case(
            "opportunity_history.moment_present",
            {"opportunity_history": [_row("opportunity_history", changed_at=None)]},
            "d1 | – | 1",
        ),
    ]


def _simple(table: str, key: str, changes: dict[str, dict[str, object]]) -> list[Case]:
    """Cases of a table with a key of one column: a changed row each, a row without key, a key that stands twice."""
    cases = [
        Case(f"{table}.{name}", {table: [_row(table, **{key: f"{table} {name}", **change})]}, f"{table} {name}")
        for name, change in changes.items()
    ]
    return [
        *cases,
        Case(f"{table}.key_present", {table: [_row(table, **{key: None})]}, NO_KEY),
        Case(f"{table}.key_unique", {table: [_row(table, **{key: f"{table} twice"})] * 2}, f"{table} twice"),
    ]


def _records() -> list[Case]:
    return [
        *_simple(
            "accounts",
            "account_id",
            {
                "name_present": {"name": None},
                "segment_known": {"segment": "Tiny"},
                "domain_plausible": {"domain": "https://acme.com/"},
                "employees_not_negative": {"employees": -1},
                "revenue_not_negative": {"annual_revenue": -1.0},
                "owner_known": {"owner_id": "nobody"},
                "parent_known": {"parent_account_id": "nobody"},
                "parent_is_another": {"parent_account_id": "accounts parent_is_another"},
                "created_not_in_future": {"created_at": LATE},
            },
        ),
        *_simple(
            "contacts",
            "contact_id",
            {
                "account_present": {"account_id": None},
                "account_known": {"account_id": "nobody"},
                "email_present": {"email": None},
                "email_plausible": {"email": "ann at acme.com"},
                "name_present": {"name": None},
                "created_not_in_future": {"created_at": LATE},
            },
        ),
        *_simple(
            "users",
            "user_id",
            {
                "name_present": {"name": None},
                "role_present": {"role": None},
                "hired_present": {"hired_on": None},
                "left_after_hired": {"left_on": on(1, 1, 2024)},
                "manager_known": {"manager_id": "nobody"},
                "manager_is_another": {"manager_id": "users manager_is_another"},
                "email_plausible": {"email": "sam"},
                "team_present": {"team": None},
            },
        ),
        *_simple(
            "campaigns",
            "campaign_id",
            {
                "name_present": {"name": None},
                "channel_present": {"channel": None},
                "start_present": {"started_on": None},
                "ends_after_start": {"ended_on": on(12, 31, 2025)},
            },
        ),
        *_simple(
            "leads",
            "lead_id",
            {
                "created_present": {"created_at": None},
                "created_not_in_future": {
                    "created_at": LATE,
                    "first_response_at": None,
                    "converted_at": None,
                    "qualified_at": None,
                },
                "source_present": {"source": None},
                "email_plausible": {"email": "ann@acme"},
                "campaign_known": {"campaign_id": "nothing"},
                "owner_known": {"owner_id": "nobody"},
                "deal_known": {"opportunity_id": "nothing"},
                "account_known": {"account_id": "nobody"},
                "qualified_after_created": {"qualified_at": at(1, 1)},
                "accepted_after_qualified": {"accepted_at": at(2, 1)},
                "converted_after_created": {"converted_at": at(1, 1)},
                "answered_after_created": {"first_response_at": at(1, 1)},
                "refusal_has_reason": {"disqualified_reason": None},
            },
        ),
        *_simple(
            "activities",
            "activity_id",
            {
                "moment_present": {"occurred_at": None},
                "kind_present": {"kind": None},
                "attached": {"opportunity_id": None, "account_id": None},
                "deal_known": {"opportunity_id": "nothing"},
                "user_known": {"user_id": "nobody"},
                "not_in_future": {"occurred_at": LATE},
            },
        ),
        *_simple(
            "touchpoints",
            "touchpoint_id",
            {
                "moment_present": {"occurred_at": None},
                "attached": {"contact_id": None, "account_id": None},
                "channel_present": {"channel": None},
                "contact_known": {"contact_id": "nobody"},
                "account_known": {"account_id": "nobody"},
                "campaign_known": {"campaign_id": "nothing"},
                "response_after_touch": {"responded_at": at(9, 26)},
                "not_in_future": {"occurred_at": LATE, "responded_at": None},
            },
        ),
        *_simple(
            "subscriptions",
            "subscription_id",
            {
                "account_present": {"account_id": None},
                "account_known": {"account_id": "nobody"},
                "deal_known": {"opportunity_id": "nothing"},
                "renewed_known": {"renews_subscription_id": "nothing"},
                "start_present": {"started_on": None},
                "ends_after_start": {"ended_on": on(12, 31, 2025)},
                "mrr_present": {"mrr": None},
                "mrr_not_negative": {"mrr": -0.01},
                "cancelled_after_booked": {"cancelled_at": at(12, 31, year=2025)},
                "churn_has_reason": {"churn_reason": None},
                "renewals_follow": {"started_on": on(12, 31, 2025)},
                "currency_has_rate": {"currency": "JPY"},
            },
        ),
        Case(
            "subscriptions.currency_is_code",
            {"subscriptions": [_row("subscriptions", subscription_id="bad code", currency="euro")]},
            "bad code",
            ("subscriptions.currency_has_rate",),
        ),
    ]


def _composed(
    table: str, key: tuple[str, ...], changes: dict[str, tuple[dict[str, object], tuple[str, ...]]]
) -> list[Case]:
    """Cases of a table whose key has several columns; each change brings its own key, and what it implies."""
    cases = []
    for name, (change, also) in changes.items():
        row = _row(table, **change)
        shown = " | ".join(NO_KEY if row[part] is None else str(row[part]) for part in key)
        cases.append(Case(f"{table}.{name}", {table: [row]}, shown, also))
    return cases


def _twice(table: str, key: tuple[str, ...], also: tuple[str, ...] = (), **change: object) -> Case:
    row = _row(table, **change)
    return Case(f"{table}.key_unique", {table: [row, dict(row)]}, " | ".join(str(row[part]) for part in key), also)


def _people_on_deals() -> list[Case]:
    roles, splits = ("opportunity_id", "contact_id"), ("opportunity_id", "user_id", "kind")

    def split(name: str, share: float | None = 1.0, also: tuple[str, ...] = (), **change: object) -> Case:
        rows = {
            **_deal(f"split {name}"),
            "opportunity_splits": [
                _row("opportunity_splits", **{"opportunity_id": f"split {name}", "share": share, **change})
            ],
        }
        row = rows["opportunity_splits"][0]
        key = " | ".join(NO_KEY if row[part] is None else str(row[part]) for part in splits)
        return Case(f"opportunity_splits.{name}", rows, key, also)

    def role(name: str, **change: object) -> Case:
        row = _row("opportunity_contacts", **{"opportunity_id": f"role {name}", **change})
        key = " | ".join(NO_KEY if row[part] is None else str(row[part]) for part in roles)
        deals = {} if name == "deal_known" else _deal(f"role {name}")
        return Case(f"opportunity_contacts.{name}", {**deals, "opportunity_contacts": [row]}, key)

    two = [_row("opportunity_contacts", opportunity_id="role two", contact_id=f"two {n}") for n in (1, 2)]
    people = [_row("contacts", contact_id=f"two {n}") for n in (1, 2)]
    same = [_row("opportunity_contacts", opportunity_id="role same", is_primary=False)] * 2
    uneven = [_row("opportunity_splits", opportunity_id="split uneven", share=0.9)]
    twice = [_row("opportunity_splits", opportunity_id="split twice", share=0.5)] * 2
    lost_split = [_row("opportunity_splits", opportunity_id="split lost")]
    return [
        role("deal_present", opportunity_id=None),
        role("contact_present", contact_id=None),
        role("deal_known"),
        role("contact_known", contact_id="nobody"),
        role("created_not_in_future", created_at=LATE),
        Case(
            "opportunity_contacts.one_primary",
            {**_deal("role two"), "opportunity_contacts": two, "contacts": people},
            "role two",
        ),
        Case("opportunity_contacts.key_unique", {**_deal("role same"), "opportunity_contacts": same}, "role same | c1"),
        split("deal_present", opportunity_id=None),
        split("seller_present", user_id=None),
        split("seller_known", user_id="nobody"),
        split("share_present", share=None),
        split("share_is_share", share=100.0),
        Case("opportunity_splits.deal_known", {"opportunity_splits": lost_split}, "split lost | u1 | revenue"),
        Case(
            "opportunity_splits.shares_add_up", {**_deal("split uneven"), "opportunity_splits": uneven}, "split uneven"
        ),
        Case(
            "opportunity_splits.key_unique",
            {**_deal("split twice"), "opportunity_splits": twice},
            "split twice | u1 | revenue",
        ),
    ]


def _money_tables() -> list[Case]:
    spend = ("month", "function", "channel", "campaign_id")
    ledger = ("account_id", "product", "month")
    code = {"currency": "euro"}
    return [
        *_composed(
            "spend",
            spend,
            {
                "month_present": ({"month": None}, ()),
                "month_is_first_day": ({"month": on(1, 2)}, ()),
                "function_present": ({"function": None}, ()),
                "amount_present": ({"channel": "x1", "amount": None}, ()),
                "amount_not_negative": ({"channel": "x2", "amount": -1.0}, ()),
                "campaign_known": ({"campaign_id": "nothing"}, ()),
                "currency_is_code": ({"channel": "x3", **code}, ("spend.currency_has_rate",)),
                "currency_has_rate": ({"channel": "x4", "currency": "JPY"}, ()),
            },
        ),
        _twice("spend", spend, channel="x5"),
        *_composed(
            "revenue_ledger",
            ledger,
            {
                "account_present": ({"account_id": None}, ()),
                "month_present": ({"month": None}, ()),
                "month_is_first_day": ({"month": on(8, 2)}, ()),
                "mrr_present": ({"product": "x1", "mrr": None}, ()),
                "mrr_not_negative": ({"product": "x2", "mrr": -1.0}, ()),
                "account_known": ({"account_id": "nobody"}, ()),
                "not_in_future": ({"month": on(11, 1)}, ()),
                "currency_is_code": ({"product": "x3", **code}, ("revenue_ledger.currency_has_rate",)),
                "currency_has_rate": ({"product": "x4", "currency": "JPY"}, ()),
            },
        ),
        _twice("revenue_ledger", ledger, product="x5"),
    ]


def _plans() -> list[Case]:
    targets = ("measure", "scope_kind", "scope", "period_start")
    quotas = ("user_id", "period_start")
    code = {"currency": "euro"}
    overlap = {"period_start": on(8, 1), "scope": "overlap"}
    sellers = {"users": [_row("users", user_id=f"q{n}") for n in range(8)]}
    quota_cases = _composed(
        "quotas",
        quotas,
        {
            "user_id_present": ({"user_id": None}, ()),
            "period_start_present": ({"user_id": "q0", "period_start": None}, ()),
            "period_end_present": ({"user_id": "q1", "period_end": None}, ()),
            "quota_present": ({"user_id": "q2", "quota": None}, ()),
            "user_known": ({"user_id": "nobody"}, ()),
            "ends_after_start": ({"user_id": "q3", "period_end": on(6, 30)}, ()),
            "quota_not_negative": ({"user_id": "q4", "quota": -1.0}, ()),
            "currency_is_code": ({"user_id": "q5", **code}, ("quotas.currency_has_rate",)),
            "currency_has_rate": ({"user_id": "q6", "currency": "JPY"}, ()),
            "periods_apart": ({"period_start": on(8, 1)}, ()),
        },
    )
    return [
        *_composed(
            "targets",
            targets,
            {
                "measure_present": ({"measure": None}, ()),
                "scope_kind_present": ({"scope_kind": None}, ()),
                "period_start_present": ({"scope": "t1", "period_start": None}, ()),
                "period_end_present": ({"scope": "t2", "period_end": None}, ()),
                "target_present": ({"scope": "t3", "target": None}, ()),
                "scope_kind_known": ({"scope_kind": "planet"}, ()),
                "scope_present": ({"scope": None}, ()),
                "ends_after_start": ({"scope": "t4", "period_end": on(6, 30)}, ()),
                "target_positive": ({"scope": "t5", "target": 0.0}, ()),
                "currency_is_code": ({"scope": "t6", **code}, ("targets.currency_has_rate",)),
                "currency_has_rate": ({"scope": "t7", "currency": "JPY"}, ()),
            },
        ),
        Case(
            "targets.periods_apart",
            {"targets": [_row("targets", scope="overlap"), _row("targets", **overlap)]},
            "bookings | segment | overlap | 2026-08-01",
        ),
        _twice("targets", targets, ("targets.periods_apart",), scope="t8"),
        Case(quota_cases[0].rule, {**quota_cases[0].rows, **sellers}, quota_cases[0].key),
        *quota_cases[1:],
        _twice("quotas", quotas, ("quotas.periods_apart",), user_id="q7"),
    ]


def _forecasts_and_rates() -> list[Case]:
    submissions = ("user_id", "period_start", "submitted_at", "category", "scope")
    rates = ("currency", "day")
    code = {"currency": "euro"}

    def hour(number: int) -> dict[str, object]:
        return {"submitted_at": at(9, 2, number)}

    return [
        *_composed(
            "forecast_submissions",
            submissions,
            {
                "user_id_present": ({"user_id": None}, ()),
                "period_start_present": ({"period_start": None}, ()),
                "submitted_at_present": ({"submitted_at": None}, ()),
                "amount_present": ({**hour(1), "amount": None}, ()),
                "user_known": ({"user_id": "nobody"}, ()),
                "category_known": ({"category": "Maybe"}, ()),
                "scope_known": ({"scope": "world"}, ()),
                "amount_not_negative": ({**hour(2), "amount": -1.0}, ()),
                "not_in_future": ({"submitted_at": LATE}, ()),
                "currency_is_code": ({**hour(3), **code}, ("forecast_submissions.currency_has_rate",)),
                "currency_has_rate": ({**hour(4), "currency": "JPY"}, ()),
            },
        ),
        _twice("forecast_submissions", submissions, **hour(5)),
        *_composed(
            "exchange_rates",
            rates,
            {
                "currency_present": ({"currency": None}, ()),
                "day_present": ({"currency": "CHF", "day": None}, ()),
                "rate_present": ({"day": on(9, 1), "rate_to_reporting": None}, ()),
                "currency_is_code": ({"currency": "Eur"}, ()),
                "rate_positive": ({"day": on(9, 2), "rate_to_reporting": 0.0}, ()),
                "rate_plausible": ({"day": on(9, 3), "rate_to_reporting": 1100.0}, ()),
                "not_in_future": ({"day": on(10, 1)}, ()),
                "fresh": ({"currency": "GBP", "day": on(9, 1)}, ()),
            },
        ),
        _twice("exchange_rates", rates, day=on(9, 4)),
    ]


CASES: dict[str, Case] = {
    case.rule: case
    for case in [
        *_deals(),
        *_history(),
        *_records(),
        *_people_on_deals(),
        *_money_tables(),
        *_plans(),
        *_forecasts_and_rates(),
    ]
}
