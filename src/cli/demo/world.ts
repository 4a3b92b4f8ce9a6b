import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { packageRoot } from '../../platform/spawn.ts'
import { makeEphemeral, sweepEphemeral } from '../../server/processes/ephemeral.ts'
import type { StatePaths } from '../../platform/paths.ts'
import { createClient, type Client } from '../client.ts'

/** An ephemeral context: a state directory under the temporary folder, a client of it, and what takes the pages. */
export interface DemoWorld {
  folder: string
  paths: StatePaths
  client: Client
  /** pages received over the webhook: subject lines */
  pages: string[]
  pagerUrl: string
  /** A copy of the hello service as a release directory. */
  release: (about: { version: string; failRate?: number }) => string
  /** Ends the receiver and removes the folder; gives what is left running, which should be nothing. */
  remove: () => Promise<string[]>
}

export async function makeWorld(): Promise<DemoWorld> {
  await sweepEphemeral()
  const { folder, paths } = makeEphemeral()
  const pages: string[] = []
  const receiver = await listenForPages(pages)
  const address = receiver.address() as { port: number }
  return {
    folder,
    paths,
    client: createClient({ socketPath: paths.socket, isTls: false, token: null }, 'user:demo'),
    pages,
    pagerUrl: `http://127.0.0.1:${address.port}/page`,
    release: (about) => {
      const target = join(folder, `release-${about.version}`)
      cpSync(join(packageRoot(), 'templates', 'services', 'hello'), target, { recursive: true })
      writeFileSync(join(target, 'version.json'), `${JSON.stringify(about)}\n`)
      return target
    },
    remove: async () => {
      await new Promise((resolve) => receiver.close(resolve))
      const left = processesNaming(folder)
      rmSync(folder, { recursive: true, force: true })
      return left
    },
  }
}

/** The on-call person's webhook: a real HTTP server that answers 200 and remembers. */
function listenForPages(pages: string[]): Promise<Server> {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')))
    request.on('end', () => {
      pages.push(body)
      response.end('ok')
    })
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

/** Living processes, other than this one, whose command line names the folder. */
function processesNaming(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid && existsSync(`/proc/${name}/cmdline`))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return line.includes(folder) ? [`${pid} ${line.trim()}`] : []
      } catch {
        return []
      }
    })
}
