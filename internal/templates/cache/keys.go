package cache

// keyTemplates: string, what Telesign last listed as an account's templates, in JSON.
func keyTemplates(account string) string { return "handout:templates:" + account }
