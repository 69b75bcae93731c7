"""What merchants are told, in a table of its own: who delivers it has no right to orders.

Keys are `pk` and `sk`, and every `pk` and every list begins with the tenant, `T#<tenant>#`. Nothing is ever
scanned, and an event is never written a second time.

=====================  ==============================================  =========  ====================
item                   pk                                              sk         what else is in it
=====================  ==============================================  =========  ====================
event                  T#t#EVENT#<id>                                  EVENT      doc (compressed), event_type
webhook endpoint       T#t#ENDPOINTS                                   <id>       doc, sealed secrets, calls
how many were added    T#t#ENDPOINTS                                   REGISTER   version
who works for all      T#t#ENDPOINTS                                   PLACES     a lease for each place
who may do without     T#t#ENDPOINTS                                   PASSES     a lease for each pass
delivery               T#t#DELIVERY#<id>                               DELIVERY   doc, version
=====================  ==============================================  =========  ====================

A list has an index of its own, of keys alone: an event is written once, so that an index costs one write for
each event in it, as an entry of its own would, and cannot be ahead of its event. Most events are of the type
`tracking.updated`, so an event is only in lists that pick few of many. Events of earlier releases stand in
all seven. All are sorted by `list_sk`, the time of the event, its sequence and its id (deliveries: by their
time and id). They may lag a second.

==================  ==================  ======================================================
index               partition           what is in a list
==================  ==================  ======================================================
by_time             list_pk             all events; the deliveries of an endpoint
by_topic            topic_pk            all of orders; none of trackings
by_type             type_pk             all of one type, save `tracking.updated`
by_order            order_pk            those of an order and of its parcels
by_subject          subject_pk          those of a tracking that is no order's parcel
by_order_type       order_type_pk       nothing new, and nobody reads it
by_tracking_type    tracking_type_pk    nothing new, and nobody reads it
==================  ==================  ======================================================

==========================================  ===================================================
access pattern                              how
==========================================  ===================================================
event by id                                 GetItem, consistent
events, by what their reader may see        Query by_time or by_topic, BatchGetItem; read and compared
webhook endpoints of a tenant               Query pk, consistent; the router, for each batch of changes
who may call an endpoint                    UpdateItem, conditional
deliveries of an endpoint                   Query by_time, BatchGetItem
whose attempt it is                         PutItem over the version that was read
events of a type, an order, a tracking      Query of the index of these, BatchGetItem
events of an order's parcel                 Query by_order, BatchGetItem; read and compared
events of an order or a tracking by type    the same, read and compared
events of an order and one tracking         as of the tracking: its order never changes
==========================================  ===================================================

`expires_at` lets DynamoDB delete an event, and its deliveries, 30 days after it happened, hours late at
times: it counts as gone before.
"""
