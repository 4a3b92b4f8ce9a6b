/** Carries a token to join with from `muster up` to the server's process: a command line would show it to everybody on the machine. */
export const JOIN_TOKEN_VARIABLE = 'MUSTER_JOIN_TOKEN'
