import { deployHistory, deployProfiles, deployStatus, deployWatch, deployWhy } from './operations/look.ts'
import { deployStart } from './operations/start.ts'
import {
  deployAbort,
  deployHalt,
  deployPause,
  deployPromote,
  deployResume,
  deployRetry,
  deployRollback,
  deployUnhalt,
} from './operations/steer.ts'

/** What can be asked of deploy. */
export {
  deployAbort,
  deployHalt,
  deployHistory,
  deployPause,
  deployProfiles,
  deployPromote,
  deployResume,
  deployRetry,
  deployRollback,
  deployStart,
  deployStatus,
  deployUnhalt,
  deployWatch,
  deployWhy,
}

export const DEPLOY_OPERATIONS = [
  deployStart,
  deployStatus,
  deployWatch,
  deployWhy,
  deployPause,
  deployResume,
  deployPromote,
  deployAbort,
  deployRetry,
  deployRollback,
  deployHalt,
  deployUnhalt,
  deployHistory,
  deployProfiles,
] as const
