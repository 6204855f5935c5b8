"""The rows that the tables of a service are made of. A row is data; the modules named below carry it out.

    Kind     a kind of object: where moto keeps it, what names it, what the leak check says of it (objects.py)
    Stored   a kind that moto lacks: made, shown, listed, changed and removed from rows alone (stored.py)
    State    what an operation puts an object into, and what it becomes after how many AWS seconds (lifecycle.py)
    Keep     parameters that moto forgets (lifecycle.py)
    Unseen   what reads do not show at first (visibility.py)
    Refuse   when an operation is refused, with the service's code and message (refusals.py)
    Tagging  the operations that tag objects of any kind of the service by their ARN (stored.py)

`add(service, rows)` puts them in force. A *path* leads from an object to its values: names of attributes or keys with dots
between them, and `*` for everything in a list or a dict: `clusters.*.nodegroups`, `vpc.id`, `group_set.*.id`.

A *text* ("No cluster found for name: {name}.") may name parameters of the call, attributes of the object, and `account`, `region`,
`partition`, `uuid`.
"""

import string
from dataclasses import dataclass, field

GONE = "gone"  # a state: removed
ABSENT, THERE = "absent", "there"  # for `Refuse.states`: no such object; in whatever state
NOW = object()  # a value: the time of the call


@dataclass(frozen=True, eq=False)
class Kind:
    name: str
    # Path from moto's backend to the dict or list that holds them.
    at: str = ""
    # Parameters that name one, and the attribute that has the same value: {"VpcId": "id"}. The last is its key.
    named: dict = field(default_factory=dict)
    # Paths of its state, its id and its name. Without a name: its tag `Name`.
    state: str = "state"
    id: str = "id"
    label: str = ""
    # Path of its tags, or a function of backend and object.
    tags: object = "tags"
    # What says why it failed: path and text, with `code` and `message`.
    failure: dict = field(default_factory=dict)
    # The kind it lives in and goes with, and the paths of that one's key: ("vpc", "vpc_id").
    within: tuple = ()
    # Comes and goes with what it lives in: no obstacle, and nothing that is left over.
    inherent: object = None
    # Not left over: states in which it is only shown still, and AWS's own objects (a function). None at all: `listed=False`.
    over: tuple = ()
    foreign: object = None
    listed: bool = True
    # What is said of one that is not visible yet, where the service has no one word for it.
    not_found: str = ""

    def key(self, thing):
        return tuple(one(thing, path) for path in dict.fromkeys(self.named.values()))

    def parent(self, thing):
        """The key of what it lives in."""
        return tuple(one(thing, path) for path in self.within[1:])

    def places(self, backend):
        """The dicts and lists that hold objects of this kind."""
        return [place for place in values(backend, self.at) if isinstance(place, (dict, list))]

    def all(self, backend):
        return [thing for place in self.places(backend) for thing in items(place)]

    def named_by(self, backend, params, named=None):
        """The objects that the parameters of a call name."""
        wanted = {path: as_list(params[name]) for name, path in (named or self.named).items() if params.get(name)}
        if not wanted:
            return []
        return [thing for thing in self.all(backend) if all(one(thing, path) in ids for path, ids in wanted.items())]


@dataclass(frozen=True, eq=False)
class Stored(Kind):
    """Its objects are dicts in the shape of the service's model: the parameters that are members of it, and what AWS adds."""

    # The operations.
    makes: str = ""
    shows: str = ""
    lists: str = ""
    changes: str = ""
    removes: str = ""
    # Where the call says nothing, and what it cannot say: values, texts, NOW.
    defaults: dict = field(default_factory=dict)
    adds: dict = field(default_factory=dict)
    # What is said of one that is not there: (code, text).
    absent: tuple = ("ResourceNotFoundException", "Not found")

    def __post_init__(self):
        object.__setattr__(self, "at", f"ekb_stored.{self.name}")


class State:
    """`State("CreateVpc", "vpc", "pending", 2, "available")`: after the call the object is pending, and available 2 AWS seconds later.
    The objects meant are those that the call makes, else those it names. Of several rows the first that fits."""

    def __init__(self, operation, kind, *chain, where=None, failed=()):
        self.operation, self.kind, self.chain = operation, kind, chain
        # (path, value): only for objects that have it.
        self.where = where
        # What becomes of it instead when it fails: seconds, state, ….
        self.failed = failed

    def fits(self, thing):
        return self.where is None or one(thing, self.where[0]) == self.where[1]

    def seconds(self):
        """{name: AWS seconds} of what it takes: `nat_gateway.available`, `vpc_endpoint.interface.available`."""
        prefix = f"{self.kind}." if self.where is None else f"{self.kind}.{str(self.where[1]).lower()}."
        steps = [*zip(self.chain[1::2], self.chain[2::2]), *zip(self.failed[::2], self.failed[1::2])]
        return {prefix + state: seconds for seconds, state in reversed(steps)}


@dataclass(frozen=True, eq=False)
class Keep:
    """After the call the object has these parameters, or what stands here."""

    operation: str
    kind: str
    parameters: dict


@dataclass(frozen=True, eq=False)
class Unseen:
    """For so many AWS seconds reads do not show what the call makes; with `writes`, calls that change do not find it either."""

    operation: str
    seconds: float
    writes: bool = False


@dataclass(frozen=True, eq=False)
class Refuse:
    """All that is said must hold: `states`, `not_in`, `used_by`, `when`."""

    # One or several; `*` is any text.
    operation: object
    code: str
    message: str
    # The object meant, and what names it, where the kind's own `named` does not fit.
    kind: str = ""
    named: dict = None
    # Its state is one of these (or ABSENT, THERE), or none of those.
    states: tuple = (THERE,)
    not_in: tuple = ()
    # (kind, path): an object of that kind (of another service: `elbv2:listener`) whose path leads to its key. What the call names
    # itself is no obstacle.
    used_by: tuple = ()
    # Where AWS is not regular: a function of the context and the object.
    when: object = None


@dataclass(frozen=True, eq=False)
class Tagging:
    tag: str = "TagResource"
    untag: str = "UntagResource"
    list: str = "ListTagsForResource"
    # Parameters.
    arn: str = "resourceArn"
    tags: str = "tags"
    keys: str = "tagKeys"


KINDS, STATES, KEPT, UNSEEN, REFUSALS, TAGGING = {}, {}, {}, {}, {}, {}


def add(service, rows):
    for row in rows:
        match row:
            case Kind():
                KINDS.setdefault(service, {})[row.name] = row
            case State():
                STATES.setdefault((service, row.operation), []).append(row)
            case Keep():
                KEPT.setdefault((service, row.operation), []).append(row)
            case Unseen():
                UNSEEN[service, row.operation] = row
            case Refuse():
                REFUSALS.setdefault(service, []).append(row)
            case Tagging():
                TAGGING[service] = row


# --- paths and texts ------------------------------------------------------------------------------------------------


def values(thing, path):
    """All that a path leads to."""
    step, _, rest = path.partition(".")
    if step == "*":
        found = items(thing)
    else:
        found = [thing.get(step) if isinstance(thing, dict) else getattr(thing, step, None)]
    for value in found:
        if value is not None:
            yield from values(value, rest) if rest else [value]


def one(thing, path):
    return next(values(thing, path), None)


def put(thing, path, value):
    before, _, last = path.rpartition(".")
    thing = one(thing, before) if before else thing
    if isinstance(thing, dict):
        thing[last] = value
    else:
        setattr(thing, last, value)


def items(place):
    return list(place.values() if isinstance(place, dict) else place)


def as_list(value):
    return value if isinstance(value, list) else [value]


class Text(string.Formatter):
    """Fills texts from several sources, the first that has the name."""

    def fill(self, value, *sources):
        if isinstance(value, dict):
            return {key: self.fill(inner, *sources) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.fill(inner, *sources) for inner in value]
        return self.vformat(value, (), sources) if isinstance(value, str) else value

    def get_field(self, name, _arguments, sources):
        found = (one(source, name) for source in sources if source is not None)
        return next((value for value in found if value is not None), ""), name


fill = Text().fill
