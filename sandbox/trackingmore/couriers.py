"""The couriers whose parcels are followed, and the forms of their numbers."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sandbox.parcels.routes import Place


@dataclass(frozen=True, slots=True)
class Courier:
    """A company that carries parcels; `form` is the form of its numbers, if it has one."""

    code: str
    name: str
    country: str
    phone: str = ""
    homepage: str = ""
    form: str | None = None
    post: bool = False

    @property
    def type(self) -> str:
        """Its kind, in the words of the service."""
        return "globalpost" if self.post else "express"

    @property
    def patience(self) -> timedelta:
        """How long a parcel may be without news before it has expired."""
        return timedelta(days=60 if self.post else 30)

    def may_own(self, number: str) -> bool:
        """Return whether a number has the form of its own numbers."""
        return self.form is not None and re.fullmatch(self.form, number) is not None

    def told(self) -> dict[str, Any]:
        """Return the courier as GET /carriers lists it."""
        return {
            "name": self.name,
            "code": self.code,
            "phone": self.phone,
            "homepage": self.homepage,
            "type": self.type,
            "picture": f"//cdn.trackingmore.example/images/icons/express/{self.code}.png",
        }


_UNION = r"[A-Z]{2}\d{9}"
"""The beginning of a number of the postal union; the country's letters end it."""


def _post(code: str, name: str, country: str, phone: str, homepage: str, also: str = "") -> Courier:
    form = f"{_UNION}{country}" + (f"|{also}" if also else "")
    return Courier(code, name, country, phone, homepage, form, post=True)


_TABLE = (
    Courier("dhl", "DHL", "DE", "1 800 225 5345", "http://www.dhl.com/", r"\d{10}"),
    Courier("ups", "UPS", "US", "1 800 742 5877", "http://www.ups.com/", r"1Z[A-Z0-9]{16}"),
    Courier("fedex", "Fedex", "US", "1 800 247 4747", "http://www.fedex.com/", r"\d{12}|\d{15}"),
    Courier("tnt", "TNT", "GB", "1 800 558 5555", "http://www.tnt.com/", r"GD\d{9}WW|\d{9}"),
    _post("china-ems", "China EMS", "CN", "11183", "http://www.ems.com.cn/english.html"),
    _post("china-post", "China Post", "CN", "86 20 11185", "http://yjcx.ems.com.cn/qps/yjcx"),
    _post("singapore-post", "Singapore Post", "SG", "0065 / 6841 2000", "http://www.singpost.com/"),
    _post("singapore-speedpost", "Singapore Speedpost", "SG", "(+65) 6222 5777", "http://www.speedpost.com.sg/"),
    _post("hong-kong-post", "Hong Kong Post", "HK", "852 2921 2222", "http://www.hongkongpost.hk"),
    _post("swiss-post", "Swiss Post", "CH", "0848 888 888", "https://www.post.ch/"),
    _post("usps", "USPS", "US", "1-800-275-8777", "https://www.usps.com/", r"9\d{21}"),
    _post("royal-mail", "United Kingdom Royal Mail", "GB", "44 1752387112", "http://www.royalmail.com"),
    _post("parcel-force", "Parcel Force", "GB", "0344 800 4466", "http://www.parcelforce.com/"),
    _post("postnl-parcels", "Netherlands Post - PostNL", "NL", "+31 (0) 900 0990", "http://www.postnl.post/"),
    _post("australia-post", "Australia Post", "AU", "61 3 8847 9980", "http://auspost.com.au/"),
    _post("australia-ems", "Australia EMS", "AU", "61 3 8847 9045", "http://auspost.com.au/"),
    _post("canada-post", "Canada Post", "CA", "1 866 607 6301", "http://www.canadapost.ca/", r"\d{16}"),
    _post("new-zealand-post", "New Zealand Post", "NZ", "64 9 367 9710", "http://www.nzpost.co.nz/"),
    _post("belgium-post", "Bpost", "BE", "+32 2 276 22 74", "http://www.bpost2.be/"),
    _post("brazil-correios", "Brazil Correios", "BR", "55 61 3003 0100", "http://www.correios.com.br/"),
    _post("russian-post", "Russian Post", "RU", "+7 (495) 956-20-67", "https://pochta.ru/", r"\d{14}"),
    _post("sweden-posten", "Sweden Posten", "SE", "+46 771 33 33 10", "http://www.posten.se/"),
    _post("laposte", "La Poste", "FR", "33 3631", "http://www.laposte.fr"),
    _post("chronopost", "France EMS - Chronopost", "FR", "0969 391 391", "http://www.chronopost.fr/"),
    _post("colissimo", "Colissimo", "FR", "", "http://www.colissimo.fr/"),
    _post("poste-italiane", "Poste Italiane", "IT", "39 803 160", "http://www.poste.it/"),
    _post("india-post", "India Post", "IN", "+91 1800 11 2011", "http://www.indiapost.gov.in/"),
    _post("dhl-germany", "Deutsche Post DHL", "DE", "+49 228 28609898", "http://www.dhl.de/"),
    _post("an-post", "An Post", "IE", "(353) 01-7057600", "http://www.anpost.ie/"),
    _post("correos-spain", "Correos", "ES", "+34 902197197", "http://www.correos.es/"),
    _post("posten-norge", "Posten Norge", "NO", "+(47) 21 31 62 60", "http://www.posten.no/"),
    _post("taiwan-post", "Chunghwa POST", "TW", "0800-700-365", "https://ipost.post.gov.tw/"),
    _post("japan-post", "Japan Post", "JP", "+81 0570-046111", "http://www.post.japanpost.jp/"),
    _post("korea-post", "Korea Post", "KR", "82-2-2108-9895", "http://www.epost.go.kr/"),
    _post("czech-post", "Česká Pošta", "CZ", "420 954 292 102", "http://www.ceskaposta.cz/"),
    Courier("deutsche-post", "Deutsche Post", "DE", "0228 4333118", "http://www.deutschepost.de/"),
    Courier("yanwen", "YANWEN", "CN", "86 0755-61190719/20/21/22", "http://www.yw56.com.cn/english/index.aspx"),
    Courier("dhlparcel-nl", "DHL Parcel Netherlands", "NL", "+31(0)900 - 222 21 20", "https://www.dhlparcel.nl/"),
    Courier("dhl-poland", "DHL Poland Domestic", "PL", "+48 42 6 345 345", "http://www.dhl.com.pl/"),
    Courier("yunexpress", "Yun Express", "CN", "4000-2621-26", "http://www.yunexpress.com/", r"YT\d{16}"),
    Courier("cnexps", "CNE Express", "CN", "86 400 021 5600", "http://www.cne.com/"),
    Courier("4px", "4PX", "CN", "86-755-23508000", "http://express.4px.com/"),
    Courier("sfb2c", "SF International", "CN", "(+86) 9533883", "http://intl.sf-express.com/"),
    Courier("sf-express", "S.F Express", "CN", "+86 95338", "http://www.sf-express.com", r"SF\d{13}"),
    Courier("sto", "STO Express", "CN", "95543", "http://www.sto.cn/"),
    Courier("yto", "YTO Express", "CN", "95554", "http://www.yto.net.cn/"),
    Courier("zto", "ZTO Express", "CN", "95311", "http://www.zto.com/"),
    Courier("gls", "GLS", "DE", "", "https://gls-group.eu/"),
    Courier("dpd", "DPD", "DE", "", "https://www.dpd.com/"),
    Courier("aramex", "Aramex", "AE", "", "https://www.aramex.com/"),
    Courier("toll-ipec", "Toll IPEC", "AU", "", "https://www.tollgroup.com/"),
    Courier("dwz", "DWZ Express", "CN", "", "http://www.dwz56.com/", r"DWZCN\d{13}YQ"),
)  # fmt: skip
COURIERS: Mapping[str, Courier] = {courier.code: courier for courier in _TABLE}

REMOTE_COMPANIES = ("dhl", "ups", "fedex", "tnt")
"""The only couriers that are known to call places remote."""

COUNTRIES: Mapping[str, str] = {
    "AE": "United Arab Emirates", "AU": "Australia", "BE": "Belgium", "BR": "Brazil", "CA": "Canada",
    "CH": "Switzerland", "CN": "China", "CZ": "Czech Republic", "DE": "Germany", "ES": "Spain",
    "FR": "France", "GB": "United Kingdom", "HK": "Hong Kong", "IE": "Ireland", "IN": "India", "IT": "Italy",
    "JP": "Japan", "KR": "South Korea", "NL": "Netherlands", "NO": "Norway", "NZ": "New Zealand",
    "PL": "Poland", "RU": "Russia", "SE": "Sweden", "SG": "Singapore", "TW": "Taiwan", "US": "United States",
}  # fmt: skip
"""Countries' names, by their two letters."""

_TOWNS: Mapping[str, tuple[str, str, str]] = {
    "AU": ("Sydney", "Melbourne", "Berwick"),
    "CA": ("Toronto", "Montreal", "Kingston"),
    "CN": ("Shenzhen", "Guangzhou", "Foshan"),
    "DE": ("Leipzig", "Frankfurt", "Mainz"),
    "FR": ("Paris", "Lyon", "Annecy"),
    "GB": ("Coventry", "London", "Croydon"),
    "NZ": ("Auckland", "Wellington", "Nelson"),
    "SG": ("Singapore", "Singapore", "Singapore"),
    "US": ("Louisville", "Chicago", "Austin"),
}
"""The towns in which parcels start, are sorted and are delivered."""


def places(origin: str, destination: str) -> tuple[Place, Place, Place]:
    """Return the towns of a journey from a country to a country: the first, the hub and the last."""
    here = _TOWNS.get(origin) or (_named(origin),) * 3
    there = _TOWNS.get(destination) or (_named(destination),) * 3
    return _place(here[0], origin), _place(there[1], destination), _place(there[2], destination)


def _named(country: str) -> str:
    return COUNTRIES.get(country, country)


def _place(town: str, country: str) -> Place:
    return Place(town, "", country=country)


def detected(number: str) -> list[Courier]:
    """Return the couriers that a number may belong to, the likeliest first."""
    return [courier for courier in _TABLE if courier.may_own(number)]


def corrected(courier: Courier, number: str) -> Courier:
    """Find the courier that truly has a parcel.

    It is another courier only if the number cannot be the named courier's and clearly belongs to one courier.
    """
    if courier.form is None or courier.may_own(number):
        return courier
    return next(_unmistakable(number), courier)


def _unmistakable(number: str) -> Iterator[Courier]:
    if re.fullmatch(_UNION + "[A-Z]{2}|1Z[A-Z0-9]{16}", number):
        yield from detected(number)
