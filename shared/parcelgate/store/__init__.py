"""The store: one DynamoDB table, and every way in which it is read.

Keys are `pk` and `sk`. Every `pk` begins with the tenant, `T#<tenant>#`, save the routing items `KEY#`
and `HOOK#`, which hold no more than the way to a tenant, and the partitions of the due index. Nothing is
ever scanned.

=====================  ==============================================  =========  ====================
item                   pk                                              sk         what else is in it
=====================  ==============================================  =========  ====================
order                  T#t#ORDER#<id>                                  ORDER      doc, version, status
event of an order      T#t#ORDER#<id>                                  EVENT#n    doc
tracking               T#t#TRACKING#<id>                               TRACKING   doc, version, status
next poll              T#t#TRACKING#<id>                               POLL       claim, misses, realtime call
followed parcel        T#t#FOLLOWED#<account>#<courier>#<number>       FOLLOWED   tracking_id
living reference       T#t#REFERENCE#<carrier>#<account>#<reference>   REFERENCE  order_id
carrier's number       T#t#NUMBER#<carrier>#<account>#<number>         NUMBER     order_id
batch                  T#t#BATCH#<id>                                  BATCH      doc
entry of a batch       T#t#BATCH#<id>                                  ROW#n      doc
idempotency key        T#t#IDEMPOTENCY#<hash of method, path, key>     IDEMP...   claim, later the answer
platform token         T#t#TOKEN#<carrier>#<account>                   TOKEN      sealed token, lease
limits of an account   T#t#LIMITS#<carrier>#<account>                  LIMITS     bucket, circuit breaker
narrower limit of one  T#t#LIMITS#<carrier>#<account>                  LANE#name  bucket
delivery (inbox)       T#t#INBOX#<carrier>#<hash of the delivery>      ENTRY      raw body, state
proof of a delivery    T#t#PROOF#<carrier>#<hash of the proof>         PROOF      the delivery's id
API key, tenant's      T#t#KEY#<id>                                    KEY        name, scopes
API key, routing       KEY#<id>                                        KEY        tenant, scopes, hash
webhook token          HOOK#<hash of the token>                        HOOK       tenant, account, order
=====================  ==============================================  =========  ====================

Four sparse indexes. The lists' indexes project `carrier` and no documents, so that a change of an order
writes into an index only when its status changes; the documents of a page are read in one batch.

============  =========================  =======================  ===========================================
index         partition                  sort                     who is in it
============  =========================  =======================  ===========================================
by_time       list_pk                    list_sk <created>#<id>   orders, trackings, keys, parked deliveries
by_status     status_pk                  list_sk                  orders, trackings
by_reference  reference_pk               list_sk                  orders
due           due_pk DUE#<kind>#<shard>  due_at                   orders and batches watched, inbox entries,
                                                                  next polls, new trackings until their first
============  =========================  =======================  ===========================================

==========================================  ===================================================
access pattern                              how
==========================================  ===================================================
order by id                                 GetItem, consistent
orders by time, within times                Query by_time, BatchGetItem
orders by status                            Query by_status, BatchGetItem
orders by reference                         Query by_reference, BatchGetItem
orders of a carrier                         any of the three, filtered, until the page is full
who holds a reference                       GetItem, or the failed condition of a create
order by the carrier's number               GetItem NUMBER
events of an order                          Query pk, sk begins with EVENT#
trackings of an order, and their polls      BatchGetItem by the parcels' tracking ids
how the parcels of orders stand             BatchGetItem of `status` alone, a hundred at once
tracking by id                              GetItem, consistent
tracking by account, courier and number     GetItem FOLLOWED, or the failed condition of an add
trackings by time, by status, of a carrier  as orders
parcels to be asked about                   Query due, each worker its share of the 32 shards
who may ask about a parcel                  UpdateItem POLL, conditional
overdue orders and batches, deliveries      Query due, every shard
batch progress                              Query pk, consistent
idempotency key                             GetItem, consistent
API key by id; webhook token by hash        GetItem
API keys of a tenant                        Query by_time (T#t#KEYS), BatchGetItem
a delivery; whose a proof is                GetItem; the failed condition of a put
parked deliveries                           Query by_time (T#t#PARKED), BatchGetItem
platform token of an account                GetItem, consistent
limits of an account                        UpdateItem, conditional
==========================================  ===================================================

An order is written whole, as JSON in `doc`, only over the version it was made from, and in one transaction
with all that must hold along with it. A tracking is written over the version it was made from, too; a poll
without news writes its POLL alone, from which nothing follows. `expires_at` (seconds since the epoch) lets
DynamoDB delete what has had its time, hours late at times: an idempotency key or a delivery that has expired
counts as gone before.
"""
