// The nine vendors: name in both languages, the look of their phones, and the colour of their mark on the page.

import { language } from "./i18n.js";

const vendors = {
  apns: { en: "Apple APNs", zh: "苹果 APNs", look: "iOS" },
  fcm: { en: "Google FCM", zh: "谷歌 FCM", look: "Android" },
  huawei: { en: "Huawei", zh: "华为", look: "EMUI" },
  harmony: { en: "HarmonyOS", zh: "鸿蒙", look: "HarmonyOS" },
  honor: { en: "Honor", zh: "荣耀", look: "Magic UI" },
  xiaomi: { en: "Xiaomi", zh: "小米", look: "HyperOS" },
  oppo: { en: "OPPO", zh: "OPPO", look: "ColorOS" },
  vivo: { en: "vivo", zh: "vivo", look: "OriginOS" },
  meizu: { en: "Meizu", zh: "魅族", look: "Flyme" },
};

export const vendorIDs = Object.keys(vendors);
export const vendorName = id => vendors[id]?.[language] ?? id;
export const lookOf = id => vendors[id]?.look ?? "";
