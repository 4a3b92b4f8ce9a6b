import { rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'

/*
 * The newest ClickHouse behind HTTP, as a server of it would be: chdb runs it within this process. `chdb-main.ts PREFIX DATA`: the folder
 * chdb is installed in, and one for its data; writes its port, and ends with its standard input.
 */

interface Session {
  query: (sql: string, format?: string) => string
  queryAsync: (sql: string, options: { format: string }) => Promise<{ text: () => string }>
}

const [prefix = '', data = ''] = process.argv.slice(2)
const { Session } = createRequire(join(prefix, 'x.js'))('chdb') as { Session: new (path: string) => Session }
const session = new Session(data)
session.query('CREATE DATABASE IF NOT EXISTS events')
let turn: Promise<unknown> = Promise.resolve()
let files = 0

/** chdb takes statements as text only: the rows of an INSERT become a file, which is read instead. */
function fromFile(query: string, rows: Buffer): { sql: string; path: string } {
  const path = join(data, '..', `rows-${(files += 1)}`)
  writeFileSync(path, rows)
  const [, insert = '', format = ''] = /^(.*) FORMAT (\w+)\s*$/s.exec(query) ?? []
  return { sql: `${insert} SELECT * FROM file('${path}', '${format}')`, path }
}

async function answer(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  const bytes = Buffer.concat(parts)
  const { searchParams } = new URL(request.url ?? '/', 'http://chdb')
  const query = searchParams.get('query')
  const { sql, path } = query !== null && bytes.length > 0 ? fromFile(query, bytes) : { sql: query ?? bytes.toString('utf8'), path: null }
  const settings = [...searchParams].filter(([name]) => /^(max|output|input|wait|date)_/.test(name))
  const run = async (): Promise<string> => {
    session.query(`USE ${searchParams.get('database') ?? 'default'}`)
    // One session for all: what one request sets is set anew by the next.
    if (settings.length > 0) session.query(`SET ${settings.map(([name, value]) => `${name} = ${value}`).join(', ')}`)
    return (await session.queryAsync(sql, { format: 'TabSeparated' })).text()
  }
  const mine = turn.then(run).finally(() => path !== null && rmSync(path))
  turn = mine.catch(() => undefined)
  return mine
}

const server = createServer((request, response) => {
  answer(request).then(
    (text) => response.end(text),
    (error: unknown) => {
      const message = (error as Error).message
      response.writeHead(500, { 'content-type': 'text/plain' })
      response.end(message.startsWith('Code:') ? message : message.replace(/^.*?(?=Code: \d+)/s, ''))
    },
  )
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as { port: number }).port}\n`))
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
