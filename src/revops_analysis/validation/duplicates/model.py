"""What is compared: the fields of a person and of a company, the degrees of agreement, and what each is worth.

The model is Fellegi and Sunter's (1969, https://doi.org/10.1080/01621459.1969.10501049): every field adds
log2(m ÷ u) bits, m being how often two records of one person agree to this degree and u how often two of different
people do. Values are adjusted for how common they are: two who are called Yarrow say more than two called Smith.

The m and u given here are the documented defaults, used where nothing can be trained (see `training`). m: experience
with customer records; u: about one in so many of a few thousand people.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Level:
    """One degree of agreement of a field: the engine's condition over `_l` and `_r`, its words, default m and u.

    `common` names the column whose frequent values weigh less. Of a value that is `unique` by its nature (a mailbox)
    u is not measured: pairs drawn at random that agree in it are mostly copies themselves.
    """

    words: str
    condition: str
    m: float
    u: float
    common: str | None = None
    unique: bool = False


@dataclass(frozen=True)
class Field:
    """A field that is compared: its levels from best to worst; `unknown` is when it says nothing either way."""

    name: str
    unknown: str
    unknown_words: str
    levels: tuple[Level, ...]
    otherwise: Level
    most_contradicting: float = 0.4
    """A trained model in which more of true pairs contradict each other here is not believed."""

    @property
    def every_level(self) -> tuple[Level, ...]:
        """All degrees that have a weight, best first."""
        return (*self.levels, self.otherwise)

    def value_of(self, place: int) -> int:
        """The engine's number of a level: the number of levels below it."""
        return len(self.levels) - place


@dataclass(frozen=True)
class Model:
    """The fields that are compared, and the rules that no sum of weights overrides.

    `identifies`: what must hold for two records to be linked at all. `clashes`: what must not hold between any two
    records of a cluster, in words and as conditions over `_l` and `_r`. `blocks`: keys of which one must be equal for
    two records to be compared at all. `trained_on`: what records must agree in to train the other fields on.
    """

    fields: tuple[Field, ...]
    identifies: str
    unidentified_words: str
    clashes: tuple[tuple[str, str], ...]
    blocks: tuple[tuple[str, str], ...]
    trained_on: tuple[str, ...]
    certain_pairs: tuple[str, ...]


def _same(column: str) -> str:
    return f"{column}_l = {column}_r"


def _one_edit(column: str, shortest: int = 4) -> str:
    """One letter more, less, other, or two in the wrong order; or much alike when long."""
    shorter = f"least(length({column}_l), length({column}_r))"
    edits = f"damerau_levenshtein({column}_l, {column}_r)"
    alike = f"jaro_winkler_similarity({column}_l, {column}_r)"
    return f"(({shorter} >= {shortest} AND {edits} <= 1) OR ({shorter} >= {shortest + 3} AND {alike} >= 0.95))"


def _slip(column: str) -> str:
    """Nearly the same, and one of the forms so rare beside the other that it is a slip and not a name of its own."""
    few, many = f"least({column}_n_l, {column}_n_r)", f"greatest({column}_n_l, {column}_n_r)"
    return f"({_one_edit(column)} AND ({few} <= 1 OR {few} * 5 <= {many}))"


_SWAPPED = "(given_l = surname_r AND surname_l = given_r)"
_INITIAL = (
    "((length(given_l) = 1 AND list_contains(given_initials_r, given_l)) OR "
    "(length(given_r) = 1 AND list_contains(given_initials_l, given_r)))"
)
_SHORT = "list_has_any(given_forms_l, given_forms_r)"
_GIVEN_SLIP = f"({_slip('given')} AND NOT (is_known_name_l AND is_known_name_r))"
_GIVEN_AGREES = f"(({_same('given')}) OR {_SHORT} OR {_INITIAL} OR {_GIVEN_SLIP} OR {_SWAPPED})"
_SURNAME_AGREES = f"(({_same('surname')}) OR {_slip('surname')} OR {_SWAPPED})"
_SAME_COMPANY = "((account_id_l = account_id_r) OR (domain_l = domain_r) OR (company_l = company_r))"

_OF_THE_ADDRESS = "(address_l = address_r AND (is_from_address_l OR is_from_address_r))"
"""A name that was read from an address says nothing more where the addresses are the same."""

_GIVEN = Field(
    "first name",
    f"given_l IS NULL OR given_r IS NULL OR {_OF_THE_ADDRESS}",
    "no first name to compare, or read from the email",
    (
        Level("same first name", f"{_same('given')} AND length(given_l) > 1", 0.78, 0.008, "given"),
        Level(
            "first name and its short form", f"{_SHORT} AND length(given_l) > 1 AND length(given_r) > 1", 0.07, 0.004
        ),
        Level("first name and its initial", _INITIAL, 0.07, 0.01),
        Level("first and last name in the other order", _SWAPPED, 0.01, 0.0001),
        Level("first name with a slip", _GIVEN_SLIP, 0.03, 0.002),
    ),
    Level("different first names", "ELSE", 0.04, 0.976),
    0.3,
)

_SURNAME = Field(
    "last name",
    f"surname_l IS NULL OR surname_r IS NULL OR {_OF_THE_ADDRESS}",
    "no last name to compare, or read from the email",
    (
        Level("same last name", _same("surname"), 0.87, 0.005, "surname"),
        Level("first and last name in the other order", _SWAPPED, 0.01, 0.0001),
        Level("last name with a slip", _slip("surname"), 0.07, 0.003),
    ),
    Level("different last names", "ELSE", 0.05, 0.99),
    0.3,
)

_BOTH_OF_THE_NAME = (
    "(list_contains(name_addresses_l, local_l) OR list_contains(name_addresses_r, local_l)) AND "
    "(list_contains(name_addresses_l, local_r) OR list_contains(name_addresses_r, local_r))"
)
"""Both addresses are made of one name: that says no more than the names themselves."""

_EMAIL = Field(
    "email",
    f"address_l IS NULL OR address_r IS NULL OR (address_l <> address_r AND {_BOTH_OF_THE_NAME} AND "
    f"{_GIVEN_AGREES} AND {_SURNAME_AGREES})",
    "no personal email to compare, or another one made of the same name",
    (
        Level("same email address", _same("address"), 0.6, 0.0000001, unique=True),
        Level("same email name at another provider", f"{_same('local')} AND length(local_l) >= 5", 0.08, 0.0005),
        Level(
            "email address with a slip",
            f"mail_domain_l = mail_domain_r AND {_one_edit('local', 5)} AND "
            "regexp_replace(local_l, '[^0-9]', '', 'g') = regexp_replace(local_r, '[^0-9]', '', 'g')",
            0.02,
            0.0001,
        ),
        Level("a private and a business address", "is_private_l <> is_private_r", 0.1, 0.1),
    ),
    Level("different email addresses", "ELSE", 0.2, 0.9),
    0.7,
)

_PHONE = Field(
    "phone",
    "phone_l IS NULL OR phone_r IS NULL",
    "no phone to compare",
    (Level("same phone", _same("phone"), 0.6, 0.00001, "phone"),),
    Level("different phones", "ELSE", 0.4, 0.99999),
    0.8,
)

_COMPANY_OF = Field(
    "company",
    "(account_id_l IS NULL OR account_id_r IS NULL) AND (domain_l IS NULL OR domain_r IS NULL) AND "
    "(company_l IS NULL OR company_r IS NULL)",
    "no company to compare",
    (
        Level("same company", _SAME_COMPANY, 0.85, 0.0003, "company"),
        Level("much the same company name", _one_edit("company", 6), 0.05, 0.0003),
    ),
    Level("different companies", "ELSE", 0.1, 0.9994),
    0.6,
)

PERSON = Model(
    fields=(_GIVEN, _SURNAME, _EMAIL, _PHONE, _COMPANY_OF),
    identifies=f"(coalesce({_same('address')}, false) OR coalesce({_GIVEN_AGREES} AND {_SURNAME_AGREES}, false))",
    unidentified_words="neither the names nor a personal email agree",
    clashes=(
        ("different first names", f"coalesce(NOT {_GIVEN_AGREES}, false)"),
        ("different generations (Jr, Sr)", "coalesce(suffix_l <> suffix_r, false)"),
        ("different middle names", "coalesce(middle_l <> middle_r, false)"),
    ),
    blocks=(
        ("email", "address"),
        ("phone and last name", "phone || '|' || left(surname, 1)"),
        ("company and initials", "company || '|' || left(given, 1) || left(surname, 1)"),
        ("domain and initials", "domain || '|' || left(given, 1) || left(surname, 1)"),
        ("company and last name", "company || '|' || surname"),
        ("phone and first name", "phone || '|' || given"),
    ),
    trained_on=(
        "l.address = r.address",
        "l.phone = r.phone",
        "l.given = r.given AND l.surname = r.surname AND l.company = r.company",
    ),
    certain_pairs=(
        "l.address = r.address AND l.surname = r.surname",
        "l.phone = r.phone AND l.given = r.given",
        "l.company = r.company AND l.given = r.given AND l.surname = r.surname",
    ),
)

_SUBSET = (
    "(least(length(compact_l), length(compact_r)) >= 4 AND (list_has_all(words_l, words_r) OR "
    "list_has_all(words_r, words_l)))"
)
_NEAR_COMPANY = (
    f"({_one_edit('compact', 6)} AND "
    "regexp_replace(company_l, '[^0-9]', '', 'g') = regexp_replace(company_r, '[^0-9]', '', 'g'))"
)
_SIZES = "least(employees_l, employees_r) / greatest(employees_l, employees_r, 1)"

COMPANY = Model(
    fields=(
        Field(
            "name",
            "company_l IS NULL OR company_r IS NULL",
            "no name to compare",
            (
                Level("same name but for legal form", _same("compact"), 0.75, 0.0001, "compact"),
                Level("name with a slip", _NEAR_COMPANY, 0.1, 0.0001),
                Level("one name is part of the other", _SUBSET, 0.1, 0.0003),
            ),
            Level("different names", "ELSE", 0.05, 0.9995),
            0.3,
        ),
        Field(
            "domain",
            "domain_l IS NULL OR domain_r IS NULL",
            "no domain to compare",
            (
                Level("same domain", _same("domain"), 0.6, 0.0001, "domain"),
                Level("same domain with another ending", f"{_same('stem')} AND length(stem_l) >= 4", 0.1, 0.0001),
                Level(
                    "one domain is part of the other",
                    "least(length(stem_l), length(stem_r)) >= 6 AND "
                    "(contains(stem_l, stem_r) OR contains(stem_r, stem_l))",
                    0.1,
                    0.0003,
                ),
            ),
            Level("different domains", "ELSE", 0.2, 0.9995),
            0.6,
        ),
        Field(
            "country",
            "country_l IS NULL OR country_r IS NULL",
            "no country to compare",
            (Level("same country", _same("country"), 0.93, 0.4, "country"),),
            Level("different countries", "ELSE", 0.07, 0.6),
        ),
        Field(
            "industry",
            "industry_l IS NULL OR industry_r IS NULL",
            "no industry to compare",
            (Level("same industry", _same("industry"), 0.85, 0.15, "industry"),),
            Level("different industries", "ELSE", 0.15, 0.85),
            0.6,
        ),
        Field(
            "employees",
            "employees_l IS NULL OR employees_r IS NULL",
            "no number of employees to compare",
            (
                Level("same number of employees", _same("employees"), 0.5, 0.01, "employees"),
                Level("employees within 10%", f"{_SIZES} >= 0.9", 0.15, 0.05),
                Level("employees within a factor of two", f"{_SIZES} >= 0.5", 0.25, 0.2),
            ),
            Level("employees further apart", "ELSE", 0.1, 0.74),
            0.6,
        ),
    ),
    identifies=f"coalesce({_same('compact')} OR {_NEAR_COMPANY} OR {_SUBSET}, false)",
    unidentified_words="the names do not agree, and one domain can serve a whole group",
    clashes=(
        ("one owns the other", "coalesce(parent_l = unique_id_r OR parent_r = unique_id_l, false)"),
        (
            "one group, different names",
            f"coalesce(parent_l = parent_r AND NOT ({_same('compact')} OR {_NEAR_COMPANY}), false)",
        ),
        ("names that differ in a place or a number", "coalesce(places_l <> places_r, false)"),
    ),
    blocks=(
        ("name", "compact"),
        ("domain", "domain"),
        ("name in the domain", "stem"),
        ("beginning of the name", "left(compact, 6) || '|' || coalesce(country, '')"),
        ("first word of the name", "words[1] || '|' || coalesce(country, '')"),
    ),
    trained_on=("l.domain = r.domain", "l.compact = r.compact"),
    certain_pairs=("l.compact = r.compact AND l.country = r.country", "l.domain = r.domain AND l.compact = r.compact"),
)

LEAD = replace(
    PERSON,
    trained_on=("l.address = r.address", "l.given = r.given AND l.surname = r.surname AND l.company = r.company"),
)
"""Leads have no phone and often no name: the name is read from the address."""


def model_of(table: str) -> Model:
    """The model by which a table's records are compared."""
    return {"accounts": COMPANY, "contacts": PERSON}.get(table, LEAD)
