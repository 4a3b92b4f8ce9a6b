/** What is kept of a token so that SCRAM-SHA-256 can check it, as PostgreSQL writes it: iterations, salt, stored key, server key. */
export const SCRAM_VERIFIER = /^SCRAM-SHA-256\$(\d{1,7}):([A-Za-z0-9+/=]{4,64})\$([A-Za-z0-9+/=]{44}):([A-Za-z0-9+/=]{44})$/
