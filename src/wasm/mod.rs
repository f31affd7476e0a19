//! What JavaScript sees: conversion, never decision.
