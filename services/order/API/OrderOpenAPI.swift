/// The description of the API, served as `/openapi.json`: a copy of `docs/contracts/order-openapi.json` without its white
/// space.
///
/// The service needs no file at run time; a test compares the copy with the file, and the paths with the routes.
enum OrderOpenAPI {
    /// The document.
    static let bytes = Array(text.utf8)

    private static let text = #"""
        {"openapi":"3.1.0","info":{"title":"Waybill orders","version":"1.0.0","description":"Places, follows and\#
         cancels orders. An accepted order is durable when it is answered; stock and payment follow by themselve\#
        s.","license":{"name":"Apache-2.0","identifier":"Apache-2.0"}},"servers":[{"url":"http://127.0.0.1:8080"\#
        }],"paths":{"/v1/orders":{"post":{"operationId":"placeOrder","summary":"Place an order","description":"P\#
        rices come from the catalogue. The same Idempotency-Key with the same body gives the same answer for at \#
        least 24 hours.","parameters":[{"name":"Idempotency-Key","in":"header","required":true,"description":"Ch\#
        osen by the client, 1 to 255 printable ASCII characters.","schema":{"type":"string","minLength":1,"maxLe\#
        ngth":255}},{"name":"traceparent","in":"header","required":false,"description":"W3C Trace Context.","sch\#
        ema":{"type":"string"}}],"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":\#
        "#/components/schemas/Placement"}}}},"responses":{"202":{"description":"Accepted: durable, and on its wa\#
        y.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Order"}}},"headers":{"Location\#
        ":{"description":"The order.","schema":{"type":"string"}},"Idempotent-Replay":{"description":"`true` whe\#
        n this key had been answered before.","schema":{"type":"string","const":"true"}}}},"400":{"$ref":"#/comp\#
        onents/responses/BadRequest"},"409":{"$ref":"#/components/responses/Conflict"},"413":{"$ref":"#/componen\#
        ts/responses/TooLarge"},"415":{"$ref":"#/components/responses/UnsupportedMediaType"},"422":{"$ref":"#/co\#
        mponents/responses/Unacceptable"},"503":{"$ref":"#/components/responses/Unavailable"}}},"get":{"operatio\#
        nId":"listOrders","summary":"List orders, the newest first","parameters":[{"name":"status","in":"query",\#
        "schema":{"$ref":"#/components/schemas/OrderStatus"}},{"name":"cursor","in":"query","description":"`next\#
        ` of the page before.","schema":{"type":"string"}},{"name":"limit","in":"query","schema":{"type":"intege\#
        r","minimum":1,"maximum":100,"default":20}}],"responses":{"200":{"description":"A page.","content":{"app\#
        lication/json":{"schema":{"$ref":"#/components/schemas/OrderPage"}}}},"422":{"$ref":"#/components/respon\#
        ses/Unacceptable"},"503":{"$ref":"#/components/responses/Unavailable"}}}},"/v1/orders/{id}":{"get":{"ope\#
        rationId":"getOrder","summary":"How an order stands","parameters":[{"$ref":"#/components/parameters/Orde\#
        rID"}],"responses":{"200":{"description":"The order.","content":{"application/json":{"schema":{"$ref":"#\#
        /components/schemas/Order"}}}},"404":{"$ref":"#/components/responses/UnknownOrder"},"503":{"$ref":"#/com\#
        ponents/responses/Unavailable"}}}},"/v1/orders/{id}/cancel":{"post":{"operationId":"cancelOrder","summar\#
        y":"Undo an order","description":"Possible until the money is taken. Asking again is harmless.","paramet\#
        ers":[{"$ref":"#/components/parameters/OrderID"}],"requestBody":{"required":false,"description":"None, o\#
        r an empty object.","content":{"application/json":{"schema":{"type":"object","properties":{},"additional\#
        Properties":false,"required":[]}}}},"responses":{"200":{"description":"It was cancelled already.","conte\#
        nt":{"application/json":{"schema":{"$ref":"#/components/schemas/Order"}}}},"202":{"description":"It is b\#
        eing undone.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Order"}}}},"400":{"$\#
        ref":"#/components/responses/BadRequest"},"404":{"$ref":"#/components/responses/UnknownOrder"},"409":{"$\#
        ref":"#/components/responses/Conflict"},"413":{"$ref":"#/components/responses/TooLarge"},"422":{"$ref":"\#
        #/components/responses/Unacceptable"},"503":{"$ref":"#/components/responses/Unavailable"}}}},"/v1/orders\#
        /{id}/timeline":{"get":{"operationId":"getTimeline","summary":"Everything that happened to an order","pa\#
        rameters":[{"$ref":"#/components/parameters/OrderID"}],"responses":{"200":{"description":"The order, its\#
         changes of status and its journal.","content":{"application/json":{"schema":{"$ref":"#/components/schem\#
        as/Timeline"}}}},"404":{"$ref":"#/components/responses/UnknownOrder"},"503":{"$ref":"#/components/respon\#
        ses/Unavailable"}}}},"/v1/orders/{id}/events":{"get":{"operationId":"followOrder","summary":"Follow an o\#
        rder (server-sent events)","description":"Events of the type `status`; the id of an event is the order's\#
         version and the data a StatusEvent. The stream ends with the order.","parameters":[{"$ref":"#/component\#
        s/parameters/OrderID"},{"name":"Last-Event-ID","in":"header","description":"Go on after this version.","\#
        schema":{"type":"integer","minimum":0}}],"responses":{"200":{"description":"The events.","content":{"tex\#
        t/event-stream":{"schema":{"$ref":"#/components/schemas/StatusEvent"}}}},"204":{"description":"The order\#
         has ended and nothing is new."},"400":{"$ref":"#/components/responses/BadRequest"},"404":{"$ref":"#/com\#
        ponents/responses/UnknownOrder"},"503":{"$ref":"#/components/responses/Unavailable"}}}},"/openapi.json":\#
        {"get":{"operationId":"getOpenAPI","summary":"This document","responses":{"200":{"description":"OpenAPI \#
        3.1.","content":{"application/json":{"schema":{"type":"object"}}}}}}}},"components":{"parameters":{"Orde\#
        rID":{"name":"id","in":"path","required":true,"schema":{"type":"string","format":"uuid"}}},"responses":{\#
        "BadRequest":{"description":"malformed-json, request-incomplete, idempotency-key-missing, idempotency-ke\#
        y-invalid, invalid-last-event-id","content":{"application/problem+json":{"schema":{"$ref":"#/components/\#
        schemas/Problem"}}}},"UnknownOrder":{"description":"unknown-order","content":{"application/problem+json"\#
        :{"schema":{"$ref":"#/components/schemas/Problem"}}}},"Conflict":{"description":"idempotency-key-in-flig\#
        ht, too-late-to-cancel, order-final","content":{"application/problem+json":{"schema":{"$ref":"#/componen\#
        ts/schemas/Problem"}}}},"TooLarge":{"description":"content-too-large","content":{"application/problem+js\#
        on":{"schema":{"$ref":"#/components/schemas/Problem"}}}},"UnsupportedMediaType":{"description":"unsuppor\#
        ted-media-type","content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}\#
        }},"Unacceptable":{"description":"idempotency-key-reused, unknown-sku, inactive-sku, repeated-sku, mixed\#
        -currencies, line-count, amount-too-large, invalid-parameter, unknown-parameter, or the code of a JSON f\#
        ault such as unknown-field; `fields` has the place.","content":{"application/problem+json":{"schema":{"$\#
        ref":"#/components/schemas/Problem"}}}},"Unavailable":{"description":"The service cannot do this at the \#
        moment, such as store-overloaded too-many-watchers or too-many-streams; Retry-After says when to try aga\#
        in.","content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}}},"schema\#
        s":{"OrderStatus":{"type":"string","enum":["placed","awaitingStock","awaitingPayment","confirming","comp\#
        leted","rejected","cancelling","cancelled","needsOperator"]},"Money":{"type":"object","properties":{"min\#
        orUnits":{"type":"integer","format":"int64","description":"Cents of EUR, whole JPY."},"currency":{"type"\#
        :"string","enum":["EUR","USD","GBP","CHF","SEK","JPY"]}},"additionalProperties":false,"required":["minor\#
        Units","currency"]},"Placement":{"type":"object","properties":{"customer":{"type":"string","pattern":"^[\#
        A-Za-z0-9._@-]{1,64}$"},"card":{"type":"string","pattern":"^[A-Za-z0-9._@-]{1,64}$","description":"Stand\#
        s for the card, such as tok_visa."},"lines":{"type":"array","minItems":1,"maxItems":100,"items":{"type":\#
        "object","properties":{"sku":{"type":"string","pattern":"^[A-Z0-9][A-Z0-9-]{0,31}$"},"quantity":{"type":\#
        "integer","minimum":1,"maximum":10000}},"additionalProperties":false,"required":["sku","quantity"]}}},"a\#
        dditionalProperties":false,"required":["customer","card","lines"]},"Order":{"type":"object","properties"\#
        :{"id":{"type":"string","format":"uuid"},"status":{"$ref":"#/components/schemas/OrderStatus"},"reason":{\#
        "type":"string","description":"Why it left the way to completion."},"customer":{"type":"string"},"lines"\#
        :{"type":"array","items":{"type":"object","properties":{"sku":{"type":"string"},"quantity":{"type":"inte\#
        ger"},"unitPrice":{"$ref":"#/components/schemas/Money"}},"additionalProperties":false,"required":["sku",\#
        "quantity","unitPrice"]}},"total":{"$ref":"#/components/schemas/Money"},"placedAt":{"type":"string","for\#
        mat":"date-time"},"updatedAt":{"type":"string","format":"date-time"},"version":{"type":"integer","minimu\#
        m":1},"links":{"type":"object","properties":{"self":{"type":"string"},"cancel":{"type":"string"},"events\#
        ":{"type":"string"},"timeline":{"type":"string"}},"additionalProperties":false,"required":["self","cance\#
        l","events","timeline"]}},"additionalProperties":false,"required":["id","status","customer","lines","tot\#
        al","placedAt","updatedAt","version","links"]},"OrderPage":{"type":"object","properties":{"orders":{"typ\#
        e":"array","items":{"$ref":"#/components/schemas/Order"}},"next":{"type":"string","description":"The cur\#
        sor of the next page; absent on the last."}},"additionalProperties":false,"required":["orders"]},"Status\#
        Event":{"type":"object","properties":{"id":{"type":"string","format":"uuid"},"status":{"$ref":"#/compone\#
        nts/schemas/OrderStatus"},"previousStatus":{"$ref":"#/components/schemas/OrderStatus"},"reason":{"type":\#
        "string"},"version":{"type":"integer"},"at":{"type":"string","format":"date-time"}},"additionalPropertie\#
        s":false,"required":["id","status","version","at"]},"HistoryEntry":{"type":"object","properties":{"versi\#
        on":{"type":"integer"},"from":{"$ref":"#/components/schemas/OrderStatus"},"to":{"$ref":"#/components/sch\#
        emas/OrderStatus"},"reason":{"type":"string"},"eventId":{"type":"string","description":"The event that a\#
        nnounced it."},"at":{"type":"string","format":"date-time"}},"additionalProperties":false,"required":["ve\#
        rsion","to","eventId","at"]},"JournalEntry":{"type":"object","properties":{"number":{"type":"integer"},"\#
        input":{"type":"string"},"disposition":{"type":"string","enum":["applied","repeated","late","unexpected"\#
        ]},"messageId":{"type":"string"},"sent":{"type":"array","items":{"type":"object","properties":{"command"\#
        :{"type":"string"},"messageId":{"type":"string"}},"additionalProperties":false,"required":["command","me\#
        ssageId"]}},"at":{"type":"string","format":"date-time"}},"additionalProperties":false,"required":["numbe\#
        r","input","disposition","sent","at"]},"Timeline":{"type":"object","properties":{"order":{"$ref":"#/comp\#
        onents/schemas/Order"},"history":{"type":"array","items":{"$ref":"#/components/schemas/HistoryEntry"}},"\#
        inputs":{"type":"array","items":{"$ref":"#/components/schemas/JournalEntry"}}},"additionalProperties":fa\#
        lse,"required":["order","history","inputs"]},"Problem":{"type":"object","description":"RFC 9457. Program\#
        s switch on `code`.","properties":{"type":{"type":"string"},"title":{"type":"string"},"status":{"type":"\#
        integer"},"code":{"type":"string"},"detail":{"type":"string"},"instance":{"type":"string"},"fields":{"ty\#
        pe":"array","items":{"type":"object","properties":{"path":{"type":"string"},"code":{"type":"string"},"de\#
        tail":{"type":"string"}},"additionalProperties":false,"required":["path","code","detail"]}}},"required":\#
        ["type","title","status","code"]}}}}
        """#
}
