import { expect, test } from 'vitest'
import { serverCommand, takeJoinToken } from '../../../src/server/processes/server-command.ts'

const paths = { root: '/state', context: 'blue' }

test('what a server is told of its cluster stands in its arguments, but for the token', () => {
  const membership = { token: 'muster1.secret', name: 'b', isVoter: true, peers: '10.0.0.5:2380', profile: null, region: 'eu' }
  const { args, env } = serverCommand(paths, { listen: null, etcd: '127.0.0.1:2379', membership })
  expect(args.join(' ')).toBe('--state-dir /state --context blue --etcd 127.0.0.1:2379 --name b --peers 10.0.0.5:2380 --region eu --voter')
  // The other end takes it out, so that no agent or task inherits it.
  const inherited = { PATH: '/bin', ...env }
  expect(takeJoinToken(inherited)).toBe('muster1.secret')
  expect(inherited).toEqual({ PATH: '/bin' })
  expect(takeJoinToken(inherited)).toBeNull()
})

test('a server that is told nothing is started as before', () => {
  expect(serverCommand(paths, { listen: '127.0.0.1:7700' })).toEqual({
    args: ['--state-dir', '/state', '--context', 'blue', '--listen', '127.0.0.1:7700'],
    env: {},
  })
})
