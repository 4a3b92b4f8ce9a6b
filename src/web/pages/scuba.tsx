import { ExplorePage } from '../scuba/explore-page.tsx'
import { show } from '../shell/shell.tsx'

show(<ExplorePage />)
