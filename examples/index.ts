// All of them, for `src/workflows/index.ts` and for the tests.
import { chargeCard } from "./01-retries.ts";
import { trial } from "./02-sleep.ts";
import { reserveBasket } from "./03-loop.ts";
import { checkOut } from "./04-parallel.ts";
import { recallLot } from "./05-map.ts";
import { drawCoupon } from "./06-values.ts";
import { countFeed } from "./07-time.ts";
import { approveRefund } from "./08-approval.ts";
import { confirmEmail } from "./09-hook.ts";
import { payOut } from "./10-at-most-once.ts";
import { bookTrip } from "./11-compensation.ts";
import { sellFromStock } from "./12-transaction.ts";
import { packArticle, packOrder } from "./13-children.ts";
import { takeStock } from "./14-state.ts";
import { followParcel } from "./15-groups.ts";
import { loadTruck, packer, watchPrice } from "./16-channels.ts";
import { watchFeed } from "./17-continue-as-new.ts";
import { welcomeV1, welcomeV2 } from "./18-versions.ts";
import { orderChain } from "./19-sequence.ts";
import { customOrder } from "./20-graph.ts";

export const workflows = [
  chargeCard,
  trial,
  reserveBasket,
  checkOut,
  recallLot,
  drawCoupon,
  countFeed,
  approveRefund,
  confirmEmail,
  payOut,
  bookTrip,
  sellFromStock,
  packArticle,
  packOrder,
  takeStock,
  followParcel,
  watchPrice,
  packer,
  loadTruck,
  watchFeed,
  welcomeV1,
  welcomeV2,
  orderChain,
  customOrder,
];
