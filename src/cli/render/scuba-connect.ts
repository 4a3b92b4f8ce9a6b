import type { View } from '../terminal.ts'
import { fields } from './table.ts'

/** How PostgreSQL's clients reach the store of a context. */
export interface ConnectView {
  /** for the owner of the context, on this machine */
  own: { host: string; port: number; database: string }
  /** `HOST:PORT` for everybody who has a token; null: `muster up` was not told one */
  address: string | null
  /** what to type */
  psql: string
  psqlWithToken: string | null
}

export function connectView(folder: string, port: number, address: string | null): ConnectView {
  const colon = address?.lastIndexOf(':') ?? -1
  const host = address?.slice(0, colon).replaceAll(/[[\]]/g, '')
  return {
    own: { host: folder, port, database: 'muster' },
    address,
    psql: `psql "host=${folder} port=${port} dbname=muster"`,
    psqlWithToken: address === null ? null : `psql "host=${host} port=${address.slice(colon + 1)} dbname=muster sslmode=require user=NAME"`,
  }
}

export function renderConnect({ psql, psqlWithToken }: ConnectView, view: View): string {
  return fields(view, [
    ['here', psql],
    ['with a token', psqlWithToken ?? 'start with `muster up --postgres HOST:PORT`'],
    ['password', psqlWithToken === null ? null : 'the secret of `muster token issue NAME --role viewer`'],
  ])
}
