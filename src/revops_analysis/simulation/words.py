"""The words of the sample company, in the spelling of params/definitions.yml."""

from __future__ import annotations

SEGMENTS = ("SMB", "Mid-Market", "Enterprise")
STAGES = ("Discovery", "Qualification", "Solution", "Proposal", "Negotiation", "Closed Won", "Closed Lost")
WON, LOST = 5, 6
STAGE_PROBABILITY = (0.10, 0.20, 0.40, 0.60, 0.80, 1.0, 0.0)
CATEGORIES = ("Omitted", "Pipeline", "Best Case", "Commit", "Closed")
OMITTED, PIPELINE, BEST_CASE, COMMIT, CLOSED = range(5)
TYPES = ("new", "expansion", "renewal")
NEW, EXPANSION, RENEWAL = range(3)
SOURCES = ("Outbound", "Partner", "Customer", "Inbound", "Event", "Paid")
OUTBOUND, PARTNER, CUSTOMER, INBOUND, EVENT, PAID = range(6)
PRODUCTS = ("Core", "Analytics", "Connect")
REGIONS = ("East", "Central", "West", "EMEA")
COUNTRIES = ("United States", "Canada", "United Kingdom", "Germany", "France", "Netherlands")
CURRENCIES = ("USD", "EUR")
CHANNELS = (
    "Paid search",
    "Paid social",
    "Organic search",
    "Webinar",
    "Event",
    "Email",
    "Outbound",
    "Partner",
    "Customer success",
)
MARKETING_CHANNELS = 6
"""The first so many of `CHANNELS` are marketing's."""
OUTBOUND_CHANNEL, PARTNER_CHANNEL, SUCCESS_CHANNEL = 6, 7, 8
CHANNEL_KINDS = (
    "ad click",
    "ad click",
    "form",
    "webinar",
    "event",
    "email reply",
    "outbound call",
    "partner referral",
    "business review",
)
CHANNEL_SPELLINGS = {
    "Paid search": ("Adwords/", "google ads", "paid-search"),
    "Paid social": ("LinkedIn Ads", "paid_social"),
    "Organic search": ("organic", "SEO"),
    "Webinar": ("webinar ", "Webinars"),
    "Event": ("Events", "Trade show"),
    "Email": ("e-mail", "Newsletter"),
    "Outbound": ("SDR outbound", "outbound"),
    "Partner": ("Partners", "reseller"),
    "Customer success": ("CSM", "customer-success"),
}
"""How the same channel is also written in a CRM that nobody tidied."""
INDUSTRIES = (
    "Technology",
    "Financial Services",
    "Healthcare",
    "Manufacturing",
    "Retail",
    "Education",
    "Logistics",
    "Media",
)
INDUSTRY_TYPOS = (
    "technolgy",
    "Finacial Services",
    "Health care",
    "manufacturing",
    "Retial",
    "Educaton",
    "logistic",
    "MEDIA",
)
STAGE_TYPOS = ("Discovry", "Qualificaton", "Soluton", "Proposl", "Negotation", "Closed won.", "Close Lost")
COMPETITORS = ("Northbeam", "Quillbase", "Ledgerly", "Stackwise", "in-house")
LOSS_REASONS = ("No decision", "Price", "Competitor", "Missing feature", "No budget", "Champion left")
CHURN_REASONS = ("Price", "Not adopted", "Competitor", "Out of business", "Missing feature")
REFUSALS = ("No budget", "Not a fit", "No response", "Student or competitor", "Wrong contact", "Timing")
NEXT_STEPS = ("Send proposal", "Book demonstration", "Meet budget holder", "Security review", "Contract review")
CONTACT_ROLES = ("Champion", "Decision maker", "Economic buyer", "Influencer", "User")
ACTIVITY_KINDS = ("call", "email", "meeting")
TITLES = (
    "Analyst",
    "Specialist",
    "Manager",
    "Senior Manager",
    "Director",
    "Head of Operations",
    "VP Sales",
    "VP Finance",
    "Chief Operating Officer",
    "Chief Revenue Officer",
)
TITLE_SENIORITY = (0, 0, 1, 1, 2, 2, 2, 2, 3, 3)
