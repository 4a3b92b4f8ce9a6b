import { serveOptions, type ServeFlags, type ServeOptions } from '../../src/server/delos/serve/options.ts'

/** The flags of `delos serve` as the command gives them, each at its default but what is given. */
export function serveFlags(more: Partial<ServeFlags> = {}): ServeFlags {
  return {
    name: 'default',
    'data-dir': undefined,
    'listen-client-urls': 'http://127.0.0.1:2379',
    'advertise-client-urls': undefined,
    'listen-peer-urls': 'http://127.0.0.1:2380',
    'initial-advertise-peer-urls': undefined,
    'initial-cluster': undefined,
    'initial-cluster-token': 'etcd-cluster',
    'initial-cluster-state': 'new',
    'cert-file': undefined,
    'key-file': undefined,
    'trusted-ca-file': undefined,
    'client-cert-auth': false,
    'peer-cert-file': undefined,
    'peer-key-file': undefined,
    'peer-trusted-ca-file': undefined,
    'quota-backend-bytes': 0,
    'auto-compaction-mode': 'periodic',
    'auto-compaction-retention': '0',
    'max-txn-ops': 128,
    'max-request-bytes': 1_572_864,
    'auth-token': 'simple',
    profile: 'lan',
    ...more,
  }
}

/** Options of a server as the command makes them of its flags. */
export const optionsOf = (given: Partial<ServeFlags> & Pick<ServeFlags, 'name'>): ServeOptions => serveOptions(serveFlags(given))
