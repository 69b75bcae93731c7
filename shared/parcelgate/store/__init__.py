"""The store: one DynamoDB table, and every way in which it is read.

Keys are `pk` and `sk`. Every `pk` begins with the tenant, `T#<tenant>#`, save the routing items `KEY#`
and `HOOK#`, which hold no more than the way to a tenant, `DOWN`, which names carriers alone, `PAGES`, which
holds the key of the tokens of recipients' pages, `WHEEL#`, whose items hold no more than the way to parcels,
`LOGINS#` and the partitions of the due index. Nothing is ever scanned. `LOGINS#` is in the table of what
clients ask for, this stage's or another's: its keys are digests, and its items hold a moment.

=====================  ==============================================  =========  ====================
item                   pk                                              sk         what else is in it
=====================  ==============================================  =========  ====================
order                  T#t#ORDER#<id>                                  ORDER      doc, version, status
event of an order      T#t#ORDER#<id>                                  EVENT#n    doc
entry of its account   T#t#ORDER#<id>                                  ACCOUNT    places in lists
entry of its trouble   T#t#ORDER#<id>                                  CONCERN    place in a list
entry of a number      T#t#ORDER#<id>                                  NUMBER#h   place in a list
tracking               T#t#TRACKING#<id>                               TRACKING   doc, version, status
next polls             T#t#TRACKING#<id>                               POLL       claim, misses, realtime
                                                                                  call; ticket, timetable
entry of its courier   T#t#TRACKING#<id>                               COURIER    places in lists
followed parcel        T#t#FOLLOWED#<account>#<courier>#<number>       FOLLOWED   tracking_id
list of couriers       T#t#COURIERS#<account>#<language>               COURIERS   doc, compressed
living reference       T#t#REFERENCE#<carrier>#<account>#<reference>   REFERENCE  order_id
carrier's number       T#t#NUMBER#<carrier>#<account>#<number>         NUMBER     order_id, place in a list
order's last manifest  T#t#ORDER#<id>                                  CLOSING    manifest_id
manifest               T#t#MANIFEST#<id>                               MANIFEST   doc, compressed
batch                  T#t#BATCH#<id>                                  BATCH      doc
entry of a batch       T#t#BATCH#<id>                                  ROW#n      doc
printout               T#t#PRINTOUT#<id>                               PRINTOUT   doc, asked_at
idempotency key        T#t#IDEMPOTENCY#<hash of method, path, key>     IDEMP...   claim, later the answer
platform token         T#t#TOKEN#<carrier>#<account>                   TOKEN      sealed token, lease
rate card              T#t#RATE_CARD#<carrier>#<account>               RATE_CARD  doc, compressed
what a thing adds      that of an order, a tracking or a webhook       COUNTED    version, row, figures
figures of a day       T#t#STATS                                       d#c#s      whole numbers by name
habits of a corridor   T#t#HABITS#<carrier>#<service>#<from>#<to>       s#n        whole numbers by name
tenant's settings      T#t#SETTINGS                                    SETTINGS   doc
name of an account     T#t#ACCOUNTS                                    c#account  carrier, account
limits of an account   T#t#LIMITS#<carrier>#<account>                  LIMITS     token bucket, circuit
narrower limit of one  T#t#LIMITS#<carrier>#<account>                  LANE#name  token bucket
shared login           LOGINS#<digest of carrier, login>               LIMITS     token bucket
narrower limit of one  LOGINS#<digest of carrier, login>               LANE#name  token bucket
workers of an account  T#t#LIMITS#<carrier>#<account>                  PLACES#... a lease for each
webhook (inbox)        T#t#INBOX#<carrier>#<hash of the webhook>       ENTRY      raw body, state
proof of a webhook     T#t#PROOF#<carrier>#<hash of the proof>         PROOF      the webhook's id
API key, tenant's      T#t#KEY#<id>                                    KEY        name, scopes
API key, routing       KEY#<id>                                        KEY        tenant, scopes, hash
webhook token          HOOK#<hash of the token>                        HOOK       tenant, account, order
poll bucket            WHEEL#<shard>                                   t#<unique> ids, tickets; claim
open circuit           DOWN                                            c#hash     until when it is shown
key of pages' tokens   PAGES                                           KEY        secret
=====================  ==============================================  =========  ====================

Four sparse indexes. The lists' indexes project `carrier` and no documents, so that a change of an order
writes into an index only when its status changes; the documents of a page are read in one batch.

============  =========================  =======================  ===========================================
index         partition                  sort                     who is in it
============  =========================  =======================  ===========================================
by_time       list_pk                    list_sk <created>#<id>   orders, trackings, keys, parked webhooks
by_status     status_pk                  list_sk                  orders, trackings; the entries of accounts
                                                                  with a lasting status, and of couriers
by_reference  reference_pk               list_sk                  orders by reference, trackings by number or
                                                                  by courier and status, all entries,
                                                                  carriers' numbers
due           due_pk DUE#<kind>#<shard>  due_at                   orders and batches by their deadlines,
                                                                  inbox entries, parcels that wait alone for a
                                                                  poll, new trackings until their first plan
============  =========================  =======================  ===========================================

==========================================  ===================================================
access pattern                              how
==========================================  ===================================================
order by id                                 GetItem, consistent
order by id, and how its parcels stand      BatchGetItem of it and its first parcel, then of the others
orders by time, within times                Query by_time, BatchGetItem
orders by status                            Query by_status, BatchGetItem
orders by reference                         Query by_reference, BatchGetItem
orders that hold these references now       BatchGetItem of the references, a hundred at once
orders by account                           Query by_reference, with a status by_status, BatchGetItem
orders that need a person                   Query by_time, oldest first, BatchGetItem
orders by a parcel's or carrier's number    Query by_reference, BatchGetItem
orders of a carrier                         any of them, filtered, until the page is full
couriers of an aggregator                   GetItem, consistent
rate card of an account                     GetItem, consistent
carrier accounts of a tenant                Query pk, consistent
who holds a reference                       GetItem, or the failed condition of a create
order by the carrier's number               GetItem NUMBER
events of an order                          Query pk, sk begins with EVENT#
trackings of an order, and their polls      BatchGetItem by the parcels' tracking ids
how the parcels of orders stand             BatchGetItem of `status` alone, a hundred at once
tracking by id                              GetItem, consistent
tracking by id, and its next poll           Query pk, from POLL to TRACKING, consistent
tracking by account, courier and number     GetItem FOLLOWED, or the failed condition of an add
trackings by time, by status, of a carrier  as orders
trackings by number                         Query by_reference, BatchGetItem
trackings of a courier                      Query by_status; with a status by_reference
trackings of an order, as a list            GetItem of the order, BatchGetItem of all that it ever had
parcels to be asked about, alone            Query due, each worker its share of the 32 shards
parcels to be asked about, together         Query pk WHEEL#<shard>, up to now, each worker its share
who may ask about a parcel, a poll bucket   UpdateItem POLL, or the bucket, conditional
which parcels of a poll bucket really wait  BatchGetItem POLL, eventually consistent; again if not so
overdue orders, batches and webhooks        Query due, every shard
manifest by id                              GetItem, consistent
last manifests of orders                    BatchGetItem CLOSING, GetItem
batch progress                              Query pk, consistent
printout by id                              GetItem, consistent
idempotency key                             GetItem, consistent
API key by id; webhook token by hash        GetItem
API keys of a tenant                        Query by_time (T#t#KEYS), BatchGetItem
a webhook; whose a proof is                 GetItem; the failed condition of a put
parked webhooks                             Query by_time (T#t#PARKED), BatchGetItem
platform token of an account                GetItem, consistent
figures of some days                        Query pk, within days
what things add to the figures              BatchGetItem COUNTED
habits of a corridor                        BatchGetItem of two, these four weeks' and those before
limits of an account, of a shared login     UpdateItem, conditional
carriers that are down                      Query pk DOWN, consistent
recipient's page by token                   BatchGetItem of settings, parcel, its order if named; further
                                            parcels of an order in a second one
==========================================  ===================================================

An item has one place in each index. What is in more lists of an index has an entry for each, a small item in
its own partition that is written in the same transaction: an index of its own for each kind of list would
have to be added one release at a time. An entry may be left over of an order of very many parcels, whose
change does not fit into one transaction; so what an entry leads to is read, and passed over if it does not
match. Such keys hold digests: a number may be of any length.

An order is written whole, as JSON in `doc` (`documents`), only over the version it was made from, and in one
transaction with all that must hold along with it. A tracking is written over the version it was made from,
too; a poll without news writes neither it nor its POLL, but names the parcel in a poll bucket, together with
others. `expires_at` (seconds since the epoch) lets DynamoDB delete what has had its time, hours late at
times: an idempotency key or a webhook that has expired counts as gone before. An order, its parcels and all
that belongs to them are deleted a fixed time after the order was created (`retention`), but no order while it
has a deadline or needs a person.
"""
