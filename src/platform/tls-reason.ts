/** What TLS says of a handshake, without the place in OpenSSL's sources. */
export function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  const said = /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1]
  return said === undefined ? (code ?? message) : `TLS: ${said}`
}
