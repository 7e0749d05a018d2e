package unverified

// keyRefused: hash with an expiry, what a [Notice] says.
const keyRefused = "handout:receipts:refused"
