import { expect, test } from 'vitest'
import { agentUri, serverUri } from '../../../../src/platform/certificate-uri.ts'
import { isOf } from '../../../../src/server/scuba/aggregate/call.ts'

const shows = (...uris: string[]): { subjectaltname: string } => ({ subjectaltname: uris.map((uri) => `URI:${uri}`).join(', ') })
const A = '00000000000000aa'
const B = '00000000000000bb'

test('a leaf is believed to be who the log says by the certificate of its server, or else of its node', () => {
  expect(isOf(null, A)('', shows(serverUri(A)))).toBeUndefined()
  expect(isOf('n1', null)('', shows(agentUri('n1')))).toBeUndefined()
  expect(isOf('n1', A)('', shows(serverUri(A)))).toBeUndefined()
})

test('no other certificate of the same authority will do', () => {
  for (const [node, server, shown] of [
    [null, A, shows(serverUri(B))],
    [null, A, shows(agentUri('n1'))],
    ['n1', null, shows(serverUri(A))],
    ['n1', null, shows(agentUri('n2'))],
    ['n1', A, shows(agentUri('n1'))],
    [null, null, shows()],
    [null, A, shows()],
    [null, A, shows(serverUri(A), serverUri(B))],
  ] as const)
    expect(isOf(node, server)('', shown), `${node} ${server} ${shown.subjectaltname}`).toBeInstanceOf(Error)
})
