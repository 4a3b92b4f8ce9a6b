import { formatSize } from '../../core/kernel/units.ts'

interface StoreSnapshotView {
  file: string
  bytes: number
  sha256: string
  position: number
  revision: number
  keys: number
  cluster: string | null
  savedAt: number | null
}

/** What a snapshot of a store holds. */
export function renderStoreSnapshot({ file, bytes, sha256, position, revision, keys, cluster, savedAt }: StoreSnapshotView): string {
  const from = cluster === null ? '' : `, of cluster ${cluster}${savedAt === null ? '' : ` as of ${new Date(savedAt).toISOString()}`}`
  return `${file}: ${formatSize(bytes)}, ${keys} keys at revision ${revision}, position ${position}${from}\nsha256 ${sha256}`
}
