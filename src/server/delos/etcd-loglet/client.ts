import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { connect, type StoreClient } from '../../../client/connect.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

/** What a segment of kind `etcd`, or an etcd that decides, says about itself. Secrets are named by the files that hold them. */
export const etcdConfigSchema = z.looseObject({
  endpoints: z.array(z.string()).min(1),
  /** of all keys of the log; no slash at the end */
  prefix: z.string().min(1),
  user: z.string().optional(),
  passwordFile: z.string().optional(),
  caFile: z.string().optional(),
  certFile: z.string().optional(),
  keyFile: z.string().optional(),
  /** after a trim the etcd forgets what was below the one before: for one that nobody else uses, as it forgets that of all keys */
  compacts: z.boolean().optional(),
})
export type EtcdConfig = z.output<typeof etcdConfigSchema>

/** A member that hangs is left for another one after so long; a mebibyte on a busy machine takes a second. */
const ANSWER_MS = 3000
const PATIENCE_MS = 6000

/** A client of the etcd that a segment names. Nothing is connected before the first call. Throws FILE_UNREADABLE. */
export function etcdClient(config: EtcdConfig): StoreClient {
  const tls = { ca: fileOf(config.caFile), cert: fileOf(config.certFile), key: fileOf(config.keyFile) }
  const password = fileOf(config.passwordFile)?.trimEnd()
  return connect({
    endpoints: config.endpoints,
    tls,
    answerMs: ANSWER_MS,
    patienceMs: PATIENCE_MS,
    ...(config.user === undefined ? {} : { user: config.user, password: password ?? '' }),
  })
}

function fileOf(path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new MusterError('FILE_UNREADABLE', `${path}, which the log's etcd needs, cannot be read: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
