import { createReadStream } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { refuse } from '../../core/kernel/errors.ts'
import type { StatePaths } from '../../platform/paths.ts'
import type { ArtifactStore } from '../artifacts.ts'
import type { OwnLeaf } from '../scuba/own-leaf.ts'
import { askBack, TICKET_HEADER, type DialBack } from '../tw/dial-back.ts'

/** What other servers ask this one about its own machine, whoever leads. */
export const HERE = '/v1/here'

export interface Here {
  paths: StatePaths
  /** kept here */
  artifacts: ArtifactStore
  dialBack: DialBack
  /** where others reach the leaf of this server */
  ownLeaf: () => OwnLeaf | null
}

/**
 * `…/agents/NODE/PATH`: the control socket of an agent here, or one that comes here with the ticket; `…/artifacts[/sha256/HEX]`: the bytes kept here;
 * `…/leaf`: where this server's leaf is.
 */
export function hereRoutes(app: FastifyInstance, { paths, artifacts, dialBack, ownLeaf }: Here): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    scope.route<{ Params: { node: string; '*': string } }>({
      method: ['GET', 'POST', 'DELETE'],
      url: `${HERE}/agents/:node/*`,
      handler: (request, reply) => {
        reply.hijack()
        const { node } = request.params
        const path = (request.raw.url ?? '').slice(`${HERE}/agents/${encodeURIComponent(node)}`.length)
        const ticket = request.headers[TICKET_HEADER]
        const copy = (answer: IncomingMessage): void => {
          reply.raw.writeHead(answer.statusCode ?? 502, { 'content-type': answer.headers['content-type'] ?? 'text/plain' })
          reply.raw.flushHeaders()
          answer.pipe(reply.raw)
          answer.once('error', () => reply.raw.destroy())
        }
        const asked = { path, method: request.method }
        const upstream =
          typeof ticket === 'string'
            ? askBack(dialBack, ticket, asked, copy)
            : httpRequest({ ...asked, socketPath: paths.agent(node).socket }, copy)
        upstream.once('error', (error) => {
          if (reply.raw.headersSent) reply.raw.destroy()
          else reply.raw.writeHead(502, { 'content-type': 'text/plain' }).end(error.message)
        })
        reply.raw.once('close', () => upstream.destroy())
        // Its answer may come before the first piece of what is sent.
        upstream.flushHeaders()
        request.raw.pipe(upstream)
      },
    })
    scope.get(`${HERE}/leaf`, async () => ({ ok: true, data: ownLeaf() }))
    scope.post(`${HERE}/artifacts`, { bodyLimit: Number.MAX_SAFE_INTEGER }, async (request) => ({
      ok: true,
      data: await artifacts.put(request.body as Readable),
    }))
    scope.get<{ Params: { hex: string } }>(`${HERE}/artifacts/sha256/:hex`, async (request, reply) => {
      const path = artifacts.path(`sha256:${request.params.hex}`)
      if (path === null) throw refuse('TW_ARTIFACT', `there is no artifact sha256:${request.params.hex} here`)
      return reply.type('application/octet-stream').send(createReadStream(path))
    })
  })
}
