package telesign

// codeEntry is one row of the table of codes.
type codeEntry struct {
	code  Code
	kind  Kind
	final bool
	text  string // the vendor's, without the names in braces for values that it doesn't tell
}

// codes is the table of status codes for Messaging, ascending. Sources: docs,
// all-status-and-error-codes; reference, sendadvancedmessage and
// getmessagingstatus. The comments are what Telesign's pages add to a text: "Final" and
// "Intermediate" are its own words; the column final follows the rule at [Code.Final].
//
// Codes that the reference does not list among the answers to a POST (3100,
// 3101, 3107 to 3109, 3112, 3114, 3115, 3200, 3202, 3305, 3306) arrive later,
// for one leg, so they are failures of a leg and not of a request.
var codes = []codeEntry{
	{-10004, KindRequest, true, "ReferenceID expired."},                                // HTTP 404 on a status query: processed more than 12 hours ago.
	{201, KindRead, true, "Message is read"},                                           // Older pages of Messaging; now 3005.
	{516, KindFailed, true, "Delivery channel not supported by the end user's device"}, // Final.
	{1500, KindInbound, false, "Delivered"},                                            // Delivered to you: a recipient's message.

	{3000, KindDelivered, true, "Delivered"},           // Final if the last channel used doesn't support Read status. Intermediate otherwise.
	{3001, KindProgress, false, "Message in progress"}, // Telesign successfully received this message request and is processing it. (Intermediate)
	{3002, KindGateway, false, "Delivered to Gateway"}, // Intermediate. Once all delivery options are exhausted, the status will be updated again.
	{3003, KindFailed, true, "Delivery error"},         // Final.
	{3004, KindProbable, true, "Message successfully sent out for delivery, however final confirmation of delivery to handset was not received"}, // No delivery receipts in the region; high probability that this message was successfully delivered.
	{3005, KindRead, true, "Message is read"},                                     // Final.
	{3006, KindAccount, true, "None of the channels is enabled for the customer"}, // Final.
	{3011, KindFailed, true, "Provider Account registration error"},
	{3012, KindFailed, true, "Provider Account migration error"},

	{3030, KindFailed, true, "Temporary phone error"},                // Final.
	{3031, KindFailed, true, "Permanent phone error"},                // Final.
	{3032, KindFailed, true, "Gateway/network cannot route message"}, // Final.
	{3033, KindFailed, true, "Message expired before delivery"},      // Final.
	{3034, KindFailed, true, "SMS not supported"},
	{3035, KindFailed, true, "Invalid/unsupported"},      // The content is invalid or unsupported.
	{3036, KindFailed, true, "Price threshold exceeded"}, // Not sent.
	{3037, KindFailed, true, "Message blocked in requested country"},
	{3038, KindFailed, true, "Destination blocked by prefix"},
	{3039, KindUnconfirmed, true, "Final status unknown"},
	{3040, KindProgress, false, "Queued by gateway"},
	{3041, KindFailed, true, "Carrier rejected - temporary problem"}, // Temporary; the message can be retried. On a status query, with HTTP 503, "System unavailable".
	{3042, KindFailed, true, "Carrier rejected - permanent error"},   // Permanent; the message should not be retried.
	{3043, KindFailed, true, "Error on gateway - temporary error"},   // Temporary; the message can be retried.
	{3044, KindFailed, true, "Error on gateway - permanent error"},   // Permanent; the message should not be retried.
	{3045, KindFailed, true, "Parameters problem"},
	{3046, KindFailed, true, "Message blocked by subscriber action or request"}, // The recipient asked not to be written to.
	{3047, KindFailed, true, "Subscriber low on credit"},
	{3048, KindFailed, true, "Roaming error"},
	{3049, KindFailed, true, "Mobile number portability error"},
	{3050, KindFailed, true, "Subscriber absent"}, // Temporarily unable to reach.
	{3051, KindFailed, true, "Suspected spam"},
	{3052, KindFailed, true, "Message blocked by your request"},                         // Your own blocklist at Telesign.
	{3053, KindFailed, true, "Message blocked by Telesign"},                             // Telesign's global blocklist.
	{3054, KindFailed, true, "Message cannot be sent to RBM provider - parsing error"},  // Temporary; the message can be retried.
	{3055, KindFailed, true, "Delivery channel not supported by the end user's device"}, // Final.
	{3056, KindTimedOut, false, "Message failed to deliver in specified fallback time"}, // Intermediate. Delivery could not be confirmed on this channel within the fallback window; triggers the next channel (if any) to send.
	{3057, KindFailed, true, "Invalid source address"},
	{3058, KindAccount, true, "The requested API host is not allowed for this CustomerID"},
	{3059, KindFailed, true, "Exceeded number of elements for rich card"},
	{3060, KindOther, false, "Delivery channel supported by the end user's device"}, // A capability check, not an outcome.
	{3061, KindFailed, true, "Media size exceeds the limit"},
	{3062, KindFailed, true, "MMS not supported"},
	{3071, KindFailed, true, "Unverified phone_number requested for trial account."},
	{3072, KindFailed, true, "Message blocked due to high risk score."},
	{3073, KindAccount, true, "Insufficient funds in prepaid wallet"},

	{3100, KindFailed, false, "Unknown channel specified"},                           // Intermediate. Triggers the next channel, if any.
	{3101, KindFailed, false, "Invalid value for parameter phone_number"},            // Intermediate. Triggers the next channel, if any. Too long, too short, or not digits.
	{3102, KindRequest, true, "Invalid value for parameter message_type"},            // Final.
	{3103, KindRequest, true, "Unsupported value for parameter external_id"},         // Final. Longer than 100, or contains non-ASCII characters.
	{3104, KindRequest, true, "Invalid value for parameter account_lifecycle_event"}, // Final.
	{3105, KindRequest, true, "Invalid value for parameter originating_ip"},          // Final.
	{3106, KindRequest, true, "Invalid value for parameter callback_url"},            // Final. Empty.
	{3107, KindFailed, true, "Invalid value for parameter country_code"},
	{3108, KindFailed, true, "Invalid value for parameter message"},
	{3109, KindFailed, true, "Invalid value for parameter sender_id"},
	{3110, KindRequest, true, "Invalid request"}, // Final. The request, or its JSON, is malformed.
	{3112, KindFailed, true, "Specified template does not exist for selected channel"},
	{3113, KindRequest, true, "Invalid value for parameter channel"},                              // Final. The same channel twice, or malformed channels.
	{3114, KindFailed, true, "Specified message type not allowed outside of conversation window"}, // WhatsApp: more than 24 hours since the user's last message, and not a verified template.
	{3115, KindFailed, true, "Destination phone number not in coverage"},
	{3116, KindRequest, true, "Payload limit size exceeded"}, // 10 KB.

	{3200, KindFailed, false, "Channel is not enabled for customer"},                // Intermediate.
	{3202, KindFailed, false, "Fallback is not enabled for Customer ID"},            // Intermediate. Multiple channels are specified, but fallback is not enabled for this customer.
	{3203, KindAccount, true, "Callback URL parameter not enabled for Customer ID"}, // Final. Comes with HTTP 429, but is not a rate limit.
	{3204, KindThrottled, true, "Rate limit exceeded"},                              // Allowed number of requests per second to the Telesign Messaging API has been exceeded. (Final)
	{3205, KindThrottled, true, "Rate Limit Exceeded"},                              // Allowed number of SMS transactions per second has been exceeded.
	{3206, KindAccount, true, "Omnichannel Product not enabled for Customer ID"},    // Final. Comes with HTTP 429, but is not a rate limit.
	{3207, KindAccount, true, "Product exceeded transaction hard cap. Request denied."},
	{3208, KindFailed, true, "Provider Account ID not found"},
	{3209, KindFailed, true, "End-user not registered for testing"},
	{3210, KindOther, true, "Capability Check not enabled for Customer ID"}, // Final.

	{3300, KindRequest, true, "Missing parameter channels"},     // Final.
	{3301, KindRequest, true, "Missing parameter channel"},      // Final.
	{3302, KindRequest, true, "Missing parameter phone_number"}, // Final.
	{3303, KindRequest, true, "Missing parameter message"},      // Final.
	{3304, KindRequest, true, "Missing parameter message_type"}, // Final.
	{3305, KindFailed, true, "Missing template specific parameters"},
	{3306, KindFailed, false, "Missing message parameters for specified channel"}, // Intermediate.
	{3311, KindRequest, true, "Invalid value for parameter reference_id"},         // Final. On a status query.

	{3400, KindAccount, true, "Not authorized"}, // Final.
	{3405, KindAccount, true, "Missing Authorization"},
	{3406, KindAccount, true, "Account suspended"},
	{3408, KindAccount, true, "Account not found"},
	{3409, KindAccount, true, "Invalid source IP"},
	{3410, KindAccount, true, "Invalid Customer ID"},
	{3411, KindAccount, true, "Invalid API Key"},
	{3412, KindAccount, true, "Authorization not in the correct format"},
	{3413, KindAccount, true, "Not Allowed Host"},

	{3500, KindUnavailable, true, "System Unavailable"}, // The system is currently unavailable. The request should be resubmitted. (Final)
	{3601, KindOther, false, "Missing providers tracking data"},

	// Template management. Reference: createmsgtemplate, getmsgtemplate, templatescallbacks.
	{3800, KindOther, false, "Request successful"},
	{3801, KindOther, false, "Request successful"}, // The template is being processed; a callback will follow.
	{3802, KindRequest, true, "Missing parameter name"},
	{3803, KindRequest, true, "Missing parameter type"},
	{3815, KindRequest, true, "Missing parameter content"},
	{3816, KindRequest, true, "Invalid value for parameter category"},
	{3817, KindRequest, true, "Invalid value for parameter language"}, // The page says category.
	{3818, KindOther, true, "Template Management Product not enabled for Customer ID"},
	{3819, KindRequest, true, "Invalid value for parameter sample_text"},
	{3850, KindOther, false, "Template successfully created"},
	{3851, KindOther, false, "Template approved by provider"},
	{3852, KindFailed, true, "Template rejected by provider"},
	{3853, KindFailed, true, "Template successfully removed"},
	{3854, KindOther, false, "Template flagged by provider"}, // For misuse; it is still there.
	{3855, KindFailed, true, "Template disabled by provider"},
	{3856, KindRequest, true, "Invalid value for parameter name"}, // Missing or not valid; so is one that doesn't exist.
	{3857, KindOther, false, "Removal unsuccessful - provider temporary problem"},
}
