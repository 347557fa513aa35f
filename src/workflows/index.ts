// The workflows this deployment knows. Your own code goes into this folder; list it here.
import { fulfilOrder } from "./fulfil-order.ts";
import { importFeed } from "./import-feed.ts";
import { remind } from "./remind.ts";

export const workflows = [fulfilOrder, importFeed, remind];
