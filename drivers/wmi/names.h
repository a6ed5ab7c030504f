/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names - the namespaces and addresses of WS-Management that this driver
 * writes and compares. Constants only.
 */
#pragma once

#define NS_SOAP "http://www.w3.org/2003/05/soap-envelope"
#define NS_ADDRESSING "http://schemas.xmlsoap.org/ws/2004/08/addressing"
#define NS_WSMAN "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
#define NS_ENUMERATION "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
#define NS_TRANSFER "http://schemas.xmlsoap.org/ws/2004/09/transfer"
#define NS_EVENTING "http://schemas.xmlsoap.org/ws/2004/08/eventing"
#define NS_MS "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
#define NS_BINDING "http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd"
#define NS_CIM "http://schemas.dmtf.org/wbem/wscim/1/common"
#define NS_FAULT "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
#define NS_IDENTITY "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
#define NS_CONFIG "http://schemas.microsoft.com/wbem/wsman/1/config"

#define URI_WMI "http://schemas.microsoft.com/wbem/wsman/1/wmi/"
#define URI_ANONYMOUS NS_ADDRESSING "/role/anonymous"
#define DIALECT_WQL "http://schemas.microsoft.com/wbem/wsman/1/WQL"
#define DIALECT_ASSOCIATION "http://schemas.dmtf.org/wbem/wsman/1/cimbinding/associationFilter"
#define DELIVERY_PULL "http://schemas.dmtf.org/wbem/wsman/1/wsman/Pull"
