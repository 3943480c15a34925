"""Words that say nothing about who somebody is, and given names that stand for one another.

Lists of general use, kept short; none is made from any company's data. A list that lacks a word costs a little recall,
never precision.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LEGAL_FORMS = _words(
    "inc incorporated corp corporation co company llc llp lp ltd limited plc gmbh mbh ag kg kgaa ohg ug se sa sas sarl "
    "srl spa sl bv nv ab as asa oy oyj aps pty pte pvt kk doo sro zrt kft"
)
"""Endings of company names that name a legal form; stripped only from the end, and never all of a name."""

ARTICLES = _words("the")
"""Words stripped from the start of a company's name."""

TITLES = _words("mr mrs ms miss mx dr prof professor sir dame herr frau ing dipl mag")
"""Words before a person's name that are no part of it."""

SUFFIXES = _words("jr sr ii iii iv")
"""Words after a person's name that tell generations apart: kept, because father and son are two people."""

DEGREES = _words("phd md mba msc bsc cpa cfa esq")
"""Words after a person's name that are no part of it."""

NOTHING = _words(
    "unknown none null na n/a n.a. nil test tbd tba xxx anonymous - -- . ? undefined unnamed notprovided nn noname"
)
"""What people write where they know nothing (spaces left out)."""

ROLE_MAILBOXES = _words(
    "info sales contact contactus office admin administrator hello mail email support help helpdesk service services "
    "accounts accounting billing finance invoice invoices hr jobs careers recruiting marketing press media team "
    "reception enquiries enquiry inquiries webmaster postmaster hostmaster noreply donotreply newsletter orders order "
    "purchasing procurement legal it security abuse everyone all staff"
)
"""Addresses that belong to a function, not to a person."""

FREE_MAIL = _words(
    "gmail.com googlemail.com yahoo.com yahoo.co.uk ymail.com hotmail.com hotmail.co.uk outlook.com live.com msn.com "
    "aol.com icloud.com me.com mac.com gmx.com gmx.de gmx.net web.de t-online.de freenet.de mail.com proton.me "
    "protonmail.com pm.me zoho.com yandex.ru yandex.com mail.ru qq.com 163.com 126.com orange.fr wanadoo.fr free.fr "
    "laposte.net libero.it comcast.net verizon.net att.net sbcglobal.net btinternet.com fastmail.com hey.com"
)
"""Domains at which anybody can have an address: they say nothing about the company. Others are found in the data."""

PLACES = _words(
    "africa america americas apac asia australia austria belgium brazil britain canada chile china colombia czechia "
    "denmark deutschland emea europe finland france germany iberia india indonesia international ireland israel italia "
    "italy japan korea latam malaysia mexico netherlands nordics norway poland portugal romania russia schweiz "
    "singapore spain sweden switzerland taiwan thailand turkey uae uk us usa vietnam north south east west northern "
    "southern eastern western central berlin boston chicago dallas dubai dublin london madrid milan munich paris tokyo "
    "toronto"
)
"""Words by which the companies of one group tell themselves apart."""

_GIVEN_NAMES = """
abigail abby gail|abraham abe|adelaide addie|adrian ade|agnes aggie|albert al bert
alexander alex alec sandy sasha xander|alexandra alex sandra sandy sasha alexa lexi|alfred alf fred freddie
alice ally|alison ally ali|amanda mandy|andrew andy drew|andreas andy|angela angie|anna annie anya|anne annie nan
anthony tony ant|antonia toni|antonio tony toni|archibald archie|arthur art|augustus gus|barbara barb babs
bartholomew bart|beatrice bea trixie|benjamin ben benny benji|bernard bernie|bradley brad|bridget bridie
caroline carrie carol|cassandra cass sandra|catherine cathy cate kate katie kitty kit|cecilia cissy
charles charlie chuck chas|charlotte charlie lottie|christian chris|christina chris tina chrissy
christine chris chrissy tina|christopher chris kit topher|clarence clare|constance connie|cornelius neil con
curtis curt|cynthia cindy|daniel dan danny|danielle dani|david dave davey|deborah deb debbie|dennis denny|diana di
dominic dom nick|donald don donnie|dorothy dot dottie|douglas doug|edgar ed|edmund ed ned|edward ed eddie ted ned
eleanor ellie nell nora lena|elena lena|elijah eli|elizabeth liz lizzie beth betty betsy eliza elise lisa libby
ellen ellie nell|emily em|emma em|emmanuel manny|ernest ernie|eugene gene|evelyn evie|ezekiel zeke|felicity flick
florence flo|frances fran frankie fanny|francis frank fran|francisco paco pancho cisco|franklin frank
frederick fred freddie rick|gabriel gabe|gabriella gabby ella|gabrielle gabby|genevieve gen|geoffrey geoff jeff
george georgie|georgina georgie gina|gerald gerry jerry|gerard gerry|gertrude trudy|gilbert gil|giuseppe beppe
gregory greg|guillermo memo|gustav gus|hannah hanna|harold harry hal|harriet hattie|helen nell nellie lena
henrietta hettie etta|henry harry hank hal|herbert herb bert|hubert hugh bert|ignacio nacho|isaac ike zac
isabella bella izzy|isabel izzy bel|jacob jake|jacqueline jackie|james jim jimmy jamie|jane janie jenny|janet jan
jason jay|jean jeanie|jeffrey jeff|jennifer jen jenny|jeremiah jerry|jeremy jerry jem|jerome jerry
jessica jess jessie|joan joanie|joanna jo|johannes hannes hans jo|john jack johnny jon|jonathan jon jonny
jose pepe|josef sepp joe|joseph joe joey|josephine jo josie|joshua josh|judith judy|julia julie jules|julian jules
juliet jules|justin jus|katherine kathy kate katie kitty kay|kathleen kathy kath|katrina trina|kenneth ken kenny
kimberly kim|konrad kurt|laura laurie|laurence larry laurie|lawrence larry|leonard len lenny leo|leonardo leo
leopold leo|leslie les|lewis lou lew|lillian lily lil|louis lou lewis|louise lou|lucas luke|lucille lucy
ludwig lutz|madeleine maddie|magdalena lena magda|malcolm mal|manuel manny manolo|marcus marc mark
margaret maggie meg peggy marge greta daisy rita|margarita rita|maria mia|marjorie marge|martha patty|martin marty
mary molly polly|matilda tilda tilly|matthew matt|maurice mo|maximilian max|maxwell max|megan meg
melissa mel missy|melanie mel|meredith merry|michael mike mick mickey micky|michelle shelly|mildred millie
miranda mandy|mitchell mitch|mohammed mo|muhammad mo|nancy nan|natalie nat|natasha nat tasha|nathan nat nate
nathaniel nat nate|nicholas nick nicky|nicole nicky nikki|nikolaus klaus|norman norm|oliver ollie|olivia liv
oscar ozzie|pamela pam|patricia pat patty trish tricia|patrick pat paddy|penelope penny|peter pete|philip phil pip
phillip phil|phyllis phyl|priscilla cilla|rachel rach|ralph raf|randall randy|randolph randy|raymond ray
rebecca becky becca|reginald reg reggie|richard rick rich dick ricky richie|robert bob rob bobby robbie bert
roberta bobbie|roderick rod|rodney rod|roger rog|roland rollie|ronald ron ronnie|rosemary rose rosie|rudolf rudi
rudolph rudy|rupert rup|russell russ|salvatore sal|samantha sam|samuel sam sammy|sandra sandy
sebastian seb bastian|sharon shaz|sheldon shel|sidney sid|silas si|simon si|sofia sophie|solomon sol|sophia sophie
stanley stan|stephanie steph|stephen steve|steven steve|stuart stu|susan sue susie|suzanne sue suzy|sylvester sly
sylvia syl|tamara tammy|terence terry|teresa terry tess|theodore ted theo teddy|theresa terry tess
thomas tom tommy|timothy tim|tobias toby|tracy trace|valerie val|vanessa nessa|victor vic|victoria vicky tori
vincent vince vinnie|violet vi|virginia ginny|vivian viv|vladimir vlad|walter walt wally|wendy wen|wilfred wilf
wilhelm willi|william bill will billy willie liam|winifred winnie|wolfgang wolf|yevgeny eugene|zachary zach zack
"""


def given_names() -> list[tuple[str, str]]:
    """Every form of a given name beside the full name that it can stand for; each full name stands for itself too.

    >>> [full for form, full in given_names() if form == "peggy"]
    ['margaret']
    """
    pairs = []
    for entry in _GIVEN_NAMES.replace("\n", "|").split("|"):
        full, *short = entry.split() or [""]
        pairs += [(form, full) for form in (full, *short) if form]
    return sorted(set(pairs))
