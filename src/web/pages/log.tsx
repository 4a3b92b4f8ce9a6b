import { LogPage } from '../log/log-page.tsx'
import { show } from '../shell/shell.tsx'

show(<LogPage />)
