import { randomBytes } from 'node:crypto'
import { SASL_MECHANISM, saslInitial } from '../../../../core/scuba/pgwire/sasl.ts'
import type { PgRefusal } from '../../../../core/scuba/pgwire/problem.ts'
import { mockVerifier, parseVerifier, ScramExchange } from '../../../../core/scuba/pgwire/scram.ts'
import type { PgConnection } from './connection.ts'
import { scramTools } from './scram-tools.ts'

/** Of this process; see `mockVerifier`. */
const MOCK_SECRET = randomBytes(32)

/**
 * SCRAM-SHA-256, the user's access token being the password.
 * @param verifier what is known of the user's token; null: there is no such user, or its token is from before there were verifiers
 * @returns null when the client knows the token, else why it is not let in
 */
export async function login(connection: PgConnection, user: string, verifier: string | null): Promise<PgRefusal | null> {
  const known = verifier === null ? null : parseVerifier(verifier, scramTools)
  const nonce = randomBytes(18).toString('base64')
  const exchange = new ScramExchange(known ?? mockVerifier(user, MOCK_SECRET, scramTools), nonce, scramTools)

  connection.out.authentication(10, Buffer.from(`${SASL_MECHANISM}\0\0`))
  const initial = await answer(connection)
  if (initial === null) return broken('the client gave no answer to SASL')
  const begin = saslInitial(initial)
  if (begin === null) return broken(`only ${SASL_MECHANISM} is offered`)
  const first = exchange.first(begin)
  if (!first.ok) return broken(first.reason)

  connection.out.authentication(11, Buffer.from(first.reply))
  const final = await answer(connection)
  if (final === null) return broken('the client gave no second answer to SASL')
  const last = exchange.last(Buffer.from(final).toString('utf8'))
  if (!last.ok)
    return {
      sqlState: '28P01',
      message: `password authentication failed for user "${user}"`,
      hint: 'The user is the name of an access token and the password the token: `muster token issue NAME --role viewer`. One from before this version has to be issued anew.',
    }
  connection.out.authentication(12, Buffer.from(last.reply))
  return null
}

async function answer(connection: PgConnection): Promise<Uint8Array | null> {
  await connection.flush()
  const message = await connection.receive((reader) => reader.next())
  return message?.type === 'password' ? message.body : null
}

const broken = (message: string): PgRefusal => ({ sqlState: '08P01', message })
